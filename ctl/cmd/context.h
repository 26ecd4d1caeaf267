#pragma once
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "netd/client/client.h"

namespace heddle::cmd {

// Exit statuses of `heddle`; `exec` gives its command's own beside them.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kSkipped = 4;        // labs: a capability that they need is missing
inline constexpr int kUnreachable = 125;  // no daemon answers

enum class Format { table, json };

// What one invocation works with. A command's CLI11 callback only sets `action`; it runs after the
// whole command line was understood. Threads: main's.
struct Context {
  Context(std::ostream& results, std::ostream& errors) : out(results), err(errors) {}

  std::ostream& out;
  std::ostream& err;
  std::istream* in = nullptr;                     // who is asked to confirm; null: nobody is there
  std::string socket = client::default_socket();  // --socket
  Format format = Format::table;                  // --format
  unsigned timeout_seconds = 60;                  // --timeout: for each call of the daemon
  std::vector<std::string> command;               // all after `--`
  bool takes_command = false;  // set with `action` by commands that have a use for it

  // What to do; gives the exit status. An Error is printed as `heddle: <text>` and ends with
  // kFailed, or kUnreachable when no daemon answered.
  std::function<Result<int>()> action;

  // Set with an Error that is about the command line itself: the status is kUsage then.
  bool usage_error = false;

  std::unique_ptr<client::Client> connected;

  // The daemon, connected at first use. Errors: see Client::connect.
  Result<client::Client*> daemon();
  Deadline deadline() const;
};

}  // namespace heddle::cmd
