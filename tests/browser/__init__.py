"""The live view in a real browser, over its real server and real trainings."""
