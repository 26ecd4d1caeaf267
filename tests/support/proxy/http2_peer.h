#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/proxy/backend.h"
#include "tests/support/proxy/http2_frames.h"
#include "tests/support/proxy/proxy_process.h"

namespace heddle::testing::h2 {

// One end of a connection, frame by frame: what it sends is the test's, what it gets is kept.
// Threads: one.
class Peer {
 public:
  // As a client of a port of loopback, or on a connection of one's own.
  explicit Peer(std::uint16_t port) : Peer(connect_to(port)) {}
  explicit Peer(UniqueFd own) : own_(std::move(own)), fd_(own_.get()) {}
  // As a server, on a connection that somebody else closes; waits for the client's preface.
  explicit Peer(int fd) : fd_(fd) {
    while (bytes_.size() < 24 && fill()) {
    }
    bytes_.erase(0, 24);
    send(frame(kSettings, 0, 0, ""));
  }

  bool send(std::string_view bytes) { return send_all(fd_, bytes); }
  int fd() const { return fd_; }
  const std::vector<Frame>& frames() const { return frames_; }

  // Until `enough` holds; false when the connection ends, or nothing comes for 10 s.
  bool read_until(const std::function<bool(const std::vector<Frame>&)>& enough);
  bool read_end(std::uint32_t stream) {
    return read_until([=](const auto& all) { return ended(all, stream); });
  }
  bool read_goaway() {
    return read_until([](const auto& all) { return goaway(all).has_value(); });
  }
  // Of the n-th HEADERS of a stream, if its first field is an indexed status; else -1.
  int status(std::uint32_t stream, int nth = 0) const;
  bool closed() const { return closed_; }

  bool acknowledges = true;  // SETTINGS, while it reads

 private:
  bool fill();

  UniqueFd own_;
  int fd_;
  std::string bytes_;
  std::vector<Frame> frames_;
  bool closed_ = false;
};

// A target that speaks HTTP/2 frame by frame; `serve` is called for each connection.
Backend::Script speaking_http2(std::function<void(Peer&)> serve);
// Answers each request with 200 and `body`, and counts them.
Backend::Script answering_http2(std::string body, std::atomic<int>* requests = nullptr);
// The stream of the first whole request after `seen` frames; 0 when the connection ends.
std::uint32_t next_request(Peer& peer, std::size_t& seen);
std::string status_block(const std::string& status, const Fields& more = {});

}  // namespace heddle::testing::h2
