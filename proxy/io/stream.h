#pragma once
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "proxy/io/abortable.h"
#include "proxy/io/deadline_queue.h"
#include "proxy/io/read_buffer.h"

namespace heddle::io {

// Up to four byte ranges that are written as one; the bytes are the caller's.
class Pieces {
 public:
  static constexpr std::size_t kMost = 4;
  Pieces(std::initializer_list<std::string_view> pieces);
  std::size_t size() const;
  void consume(std::size_t n);
  std::span<const std::string_view> ranges() const { return {pieces_.data(), count_}; }

 private:
  std::array<std::string_view, kMost> pieces_;
  std::size_t count_ = 0;
};

// A TCP connection with deadlines. One read and one write may be under way at a time.
// Deadline: past it the operation ends with `timeout`; whatever else waits on this stream ends too.
// Errors: `timeout`; `cancelled` after abort() or stop_reading(); `unavailable` when the peer has
//   gone, with errno. End of stream is not an error: read_some gives 0.
// Threads: the queue's executor.
class Stream final : public Abortable {
 public:
  using Socket = asio::ip::tcp::socket;
  Stream(Socket socket, DeadlineQueue& deadlines);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  Task<Result<>> connect(asio::ip::tcp::endpoint peer, Deadline deadline);
  // Reads at least one byte into `buffer`, up to the room that prepare(least) gives.
  Task<Result<std::size_t>> read_some(ReadBuffer& buffer, std::size_t least, Deadline deadline);
  Task<Result<>> write_all(Pieces pieces, Deadline deadline);
  // As much as the socket takes at once; does not wait. 0 when it is full.
  Result<std::size_t> write_now(const Pieces& pieces);

  // Ends what is under way, now and later.
  void abort() override;
  bool aborted() const { return aborted_; }
  // Ends a read that is under way, now and later, and leaves writing alone unless it is waiting.
  void stop_reading();
  void resume_reading() { reading_stopped_ = false; }
  // Moves the deadline of the read that is under way, if one is.
  void expect_read_by(Deadline deadline) {
    if (reading_) deadlines_.arm(read_deadline_, deadline);
  }

  void tune();  // no delay, keepalive probes
  // How long the peer may leave sent bytes unacknowledged; zero: as long as the kernel thinks
  // right.
  void set_user_timeout(std::chrono::milliseconds time);
  void shutdown_send();
  void close();
  void reset();  // RST: the other side must not take what it got for complete
  // False if the peer closed, or sent something nobody asked for.
  bool is_quiet() const;
  bool has_unread() const;  // bytes came that no read took yet
  Socket& socket() { return socket_; }
  int fd() { return socket_.native_handle(); }

 private:
  enum class Side { read, write };
  Error failure(const boost::system::error_code& ec, Side side, std::string_view what);
  std::optional<Error> refusal(Side side) const;
  static void read_expired(void* self);
  static void write_expired(void* self);
  void cancel();

  Socket socket_;
  DeadlineQueue& deadlines_;
  DeadlineQueue::Entry read_deadline_;
  DeadlineQueue::Entry write_deadline_;
  bool reading_ = false;
  bool read_late_ = false;
  bool write_late_ = false;
  bool reading_stopped_ = false;
  bool aborted_ = false;
};

}  // namespace heddle::io
