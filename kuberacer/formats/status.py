"""How an episode or a trial stands, in DeepRacer's words."""

# Names as sim traces have them, with the labels that metrics files show.
LABELS = {
    "lap_complete": "Lap complete",
    "crashed": "Crashed",
    "off_track": "Off track",
    "in_progress": "In progress",
    "immobilized": "Immobilized",
    "time_up": "Time up",
    "pause": "Pause",
    "reversed": "Reversed",
    "park": "Park",
    "prepare": "Prepare",
}
