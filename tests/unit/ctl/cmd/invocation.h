#pragma once
#include <sstream>
#include <string>
#include <vector>

#include "ctl/cmd/program.h"
#include "tests/support/daemon/fake_daemon.h"

namespace heddle::cmd {

// One run of `heddle` against a socket: what it printed and how it ended.
struct Invocation {
  int status = -1;
  std::string out;
  std::string err;
};

// `typed`: what stands on standard input; "": nobody is there.
inline Invocation invoke(const std::string& socket, std::vector<std::string> line,
                         const std::string& typed = "") {
  std::istringstream in(typed);
  std::ostringstream out;
  std::ostringstream err;
  Context context(out, err);
  context.socket = socket;
  if (!typed.empty()) context.in = &in;
  Invocation result;
  result.status = run_program(line, context);
  result.out = out.str();
  result.err = err.str();
  return result;
}

inline Invocation invoke(const test::FakeDaemon& daemon, std::vector<std::string> line) {
  return invoke(daemon.socket(), std::move(line));
}

inline std::string asked(const test::FakeDaemon& daemon) {
  if (daemon.calls().empty()) return "nothing";
  return daemon.calls().back().method + " " + daemon.calls().back().request;
}

}  // namespace heddle::cmd
