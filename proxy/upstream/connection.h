#pragma once
#include <chrono>
#include <cstdint>

#include "proxy/balance/budget.h"
#include "proxy/io/deadline_queue.h"
#include "proxy/io/read_buffer.h"
#include "proxy/io/stream.h"

namespace heddle::upstream {

class Target;

// A host that dies without a word is noticed after so long.
inline constexpr std::chrono::milliseconds kBriefPatience{5000};

// A connection to a target, in use (owned by a Lease) or idle (owned by its Target).
struct Connection {
  Connection(io::Stream::Socket socket, io::DeadlineQueue& deadlines)
      : stream(std::move(socket), deadlines), idle_deadline(&Connection::idle_expired, this) {}

  io::Stream stream;
  io::ReadBuffer in;
  std::uint64_t requests = 0;  // sent over it so far
  balance::Slot group_slot;    // of the budgets of connections
  balance::Slot slot;
  bool patient = true;  // TCP_USER_TIMEOUT is not set
  Deadline idle_until;
  Target* idle_in = nullptr;  // while it waits there
  io::DeadlineQueue::Entry idle_deadline;

 private:
  static void idle_expired(void* self);
};

}  // namespace heddle::upstream
