/* ../follow_center_line.py in C. No JSON library: the lines come from KubeRacer, and their values are numbers and flags. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double LAP_BONUS = 10.0, OFF_TRACK = 1e-3;

struct params {
    int all_wheels_on_track;
    double distance_from_center, progress, speed, track_width;
};

static double reward_function(const struct params *params) {
    if (!params->all_wheels_on_track) return OFF_TRACK;
    double offset = params->distance_from_center / (0.5 * params->track_width);
    double closeness = 1.0 - offset * offset;
    if (closeness < 0.0) closeness = 0.0;
    double reward = params->speed * closeness + OFF_TRACK;
    if (params->progress >= 100.0) reward += LAP_BONUS;
    return reward;
}

/* The text after `"key":` in the object that begins at `from`. */
static const char *value(const char *from, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(from, quoted);
    if (!found) {
        fprintf(stderr, "there is no %s in: %.80s\n", key, from);
        exit(1);
    }
    return found + strlen(quoted);
}

static double number(const char *from, const char *key) { return strtod(value(from, key), NULL); }

int main(void) {
    char *line = NULL;
    size_t size = 0;
    setvbuf(stdout, NULL, _IOLBF, 0); /* an answer leaves with its line's end */
    if (getline(&line, &size, stdin) < 0) return 1;
    puts("{\"kuberacer_reward\":1,\"keys\":[\"all_wheels_on_track\",\"distance_from_center\",\"progress\",\"speed\","
         "\"track_width\"]}");
    while (getline(&line, &size, stdin) > 0) {
        const char *car = strchr(value(line, "params"), '[') + 1;
        fputs("{\"rewards\":[", stdout);
        for (const char *comma = ""; *car == '{'; comma = ",") {
            struct params params = {
                *value(car, "all_wheels_on_track") == 't', number(car, "distance_from_center"), number(car, "progress"),
                number(car, "speed"), number(car, "track_width"),
            };
            printf("%s%.17g", comma, reward_function(&params)); /* 17 digits: the very same number arrives */
            car = strchr(car, '}') + 1;
            if (*car == ',') car++;
        }
        puts("]}");
    }
    return 0;
}
