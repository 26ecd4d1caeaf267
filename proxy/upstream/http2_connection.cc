#include "proxy/upstream/http2_connection.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "common/observe/log.h"
#include "proxy/upstream/connection.h"
#include "proxy/upstream/http2_stream.h"

namespace heddle::upstream {
namespace {

constexpr std::chrono::seconds kWriteStall{60};

}  // namespace

Http2Connection::Http2Connection(asio::any_io_executor executor, io::DeadlineQueue& deadlines,
                                 const http2::Limits& limits)
    : executor_(executor),
      limits_(limits),
      stream_(io::Stream::Socket(executor), deadlines),
      session_(http2::Session::Role::client, limits, *this),
      transport_(session_, stream_, in_, executor, deadlines),
      quiet_since_(std::chrono::steady_clock::now()) {}

Http2Connection::~Http2Connection() = default;

bool Http2Connection::has_room() const {
  if (retired_ || state_ == State::over) return false;
  return users_ < std::min<std::size_t>(kMostStreams, session_.peer_stream_limit());
}

void Http2Connection::retire() {
  retired_ = true;
  if (users_ == 0) stream_.abort();
}

void Http2Connection::stream_left() {
  if (--users_ > 0) return;
  quiet_since_ = std::chrono::steady_clock::now();
  if (retired_) {
    stream_.stop_reading();
  } else {
    stream_.expect_read_by(quiet_since_ + kIdleTimeout);
  }
}

void Http2Connection::wake_waiting() {
  for (Http2Stream* stream : std::exchange(waiting_, {})) stream->connection_settled();
}

Task<> Http2Connection::run(std::shared_ptr<Http2Connection> self, asio::ip::tcp::endpoint peer,
                            Deadline deadline) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto connected = co_await self->stream_.connect(peer, deadline);
  if (connected) {
    self->state_ = State::open;
    self->stream_.tune();
    self->set_patience(false);
    self->wake_waiting();
    co_await self->serve();
  } else {
    self->connect_error_ = connected.error();
  }
  self->state_ = State::over;
  self->session_.abandon(!self->transport_.sent_anything());
  self->wake_waiting();
  self->stream_.close();
}

Task<> Http2Connection::serve() {
  TaskGroup writing(executor_);
  writing.spawn(transport_.write_loop(kWriteStall));
  while (session_.wants_input() && !(retired_ && users_ == 0)) {
    const Deadline deadline = users_ == 0 ? quiet_since_ + kIdleTimeout : Deadline::max();
    const auto fed = co_await transport_.read(deadline);
    if (fed) continue;
    if (fed.error().code() == Errc::timeout && !fed.error().sys_errno()) {
      if (users_ > 0 || std::chrono::steady_clock::now() < quiet_since_ + kIdleTimeout) continue;
    }
    if (fed.error().code() == Errc::invalid) {
      log_debug("http2.target_broken", {{"error", fed.error()}});
    }
    break;
  }
  // Nobody may begin a stream on what is ending.
  state_ = State::over;
  if (users_ == 0) session_.shutdown();
  transport_.finish();
  co_await writing.join();
}

void Http2Connection::set_patience(bool patient) {
  if (patient == patient_) return;
  patient_ = patient;
  stream_.set_user_timeout(patient ? std::chrono::milliseconds(0) : kBriefPatience);
}

}  // namespace heddle::upstream
