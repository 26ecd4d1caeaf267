#pragma once
#include <boost/asio/cancellation_state.hpp>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/net/ip.h"
#include "netd/dns/question.h"

// One question to one server: a socket, and thus a port, of its own. Only what comes from that
// server with that id and question is a reply (RFC 5452, section 9.1).
// Errors: `timeout` past the deadline, `unavailable` when it cannot be reached or answers something
//         else, `cancelled`.
namespace heddle::dns {

// A cancellation that arrives between two operations stops neither: it is looked for before each.
class Stopped final {
 public:
  explicit Stopped(asio::cancellation_state state) : state_(state) {}
  explicit operator bool() const { return state_.cancelled() != asio::cancellation_type::none; }

 private:
  asio::cancellation_state state_;
};

struct Heard {
  Bytes reply;
  Match match = Match::no;  // never `no`
};

Task<Result<Heard>> ask_by_udp(Bytes query, SocketAddr server, Deadline deadline);

// RFC 7766: two bytes of length, then the message.
Task<Result<Heard>> ask_by_tcp(Bytes query, SocketAddr server, Deadline deadline);

}  // namespace heddle::dns
