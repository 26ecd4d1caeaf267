#pragma once

// A deliberate defect, between a fuzz target's subject and what it checks: there only when a replay
// is told `--seed-defect`, and must then be found out by the target's corpus (seeded.py). A target
// whose checks have lost their teeth fails there. `name` says what is wrong in the user's terms.
#ifndef HEDDLE_FUZZ
extern bool heddle_seed_defect;  // replay_main.cc
#define HEDDLE_DEFECT(name, ...)                \
  do {                                          \
    static_assert(sizeof(name) > 1, "name it"); \
    if (heddle_seed_defect) {                   \
      __VA_ARGS__;                              \
    }                                           \
  } while (false)
#else
#define HEDDLE_DEFECT(name, ...) \
  do {                           \
  } while (false)
#endif
