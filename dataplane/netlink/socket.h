#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

struct nlmsghdr;

namespace heddle::netlink {

class Message;  // message.h, for folders that speak netlink

// One netlink socket; it belongs for ever to the network namespace it was opened in.
// Source:  rtnetlink(7), netlink(7), sock_diag(7), linux/netfilter/nfnetlink.h.
// Threads: one caller at a time, any thread; calls block until the kernel answered.
// Errors:  the kernel's errno with its extended acknowledgement as text; `unavailable` on overrun.
class Socket final {
 public:
  static Result<Socket> open();                 // rtnetlink, in the calling thread's namespace
  static Result<Socket> open_in(int netns_fd);  // `netns_fd` is borrowed for the call
  static Result<Socket> open_netfilter();       // nf_tables and ctnetlink
  static Result<Socket> open_diag();            // sock_diag
  Socket(Socket&&) noexcept;
  Socket& operator=(Socket&&) noexcept;
  ~Socket();

  // One message, acknowledged.
  Result<> request(Message& message, const std::string& what);

  // All messages in one send. rtnetlink carries out each whether or not one before it failed; the
  // first failure is returned. An nf_tables batch is all or nothing; the messages around it are
  // answered when they fail, and then alone.
  enum class Answer { always, failure };
  struct Step {
    Message* message;
    std::string what;
    Answer answer = Answer::always;
  };
  Result<> batch(const std::vector<Step>& steps);

  // Calls `each` for every answer: of a dump, or the one of a single get.
  using Visit = std::function<void(const nlmsghdr&)>;
  Result<> query(Message& message, const std::string& what, const Visit& each);

 private:
  struct Impl;
  explicit Socket(std::unique_ptr<Impl> impl);
  static Result<Socket> open_protocol(int protocol);
  std::unique_ptr<Impl> impl_;
};

}  // namespace heddle::netlink
