#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace heddle::engine {

// What an engine says of one container, as far as Heddle goes by it.
struct Container {
  std::string id;        // 64 hexadecimal digits
  std::string name;      // without the slash that engines put before it
  std::string status;    // the engine's own word: running, exited, created, ...
  bool running = false;  // it has processes; a paused one too, one between two restarts not
  bool paused = false;
  bool restarting = false;
  std::int64_t pid = 0;      // of its first process, while it runs
  std::string network_mode;  // bridge, none, host, container:ID, ...
  int stop_signal = 15;      // what asks it to end
  std::chrono::seconds stop_timeout{10};
  friend bool operator==(const Container&, const Container&) = default;
};

// A line of an engine's list.
struct Listed {
  std::string id;
  std::string name;
  std::string status;
};

// Something happened to a container. A hint: what counts is what the engine says when it is asked.
struct Event {
  std::string container;
  std::string action;  // start, die, kill, rename, ...
  int signal = 0;      // of `kill`; 0: not told
  std::string time;    // SECONDS.NANOSECONDS, as the engine wants it back in `since`
};

}  // namespace heddle::engine
