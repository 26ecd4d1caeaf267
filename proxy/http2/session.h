#pragma once
#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "proxy/http2/flood_guard.h"
#include "proxy/http2/frame_scanner.h"
#include "proxy/http2/limits.h"
#include "proxy/http2/stream.h"

namespace heddle::http2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// How a client's connection begins when it knows that HTTP/2 is spoken (RFC 9113, section 3.3).
enum class Preface { no, begun, yes };
Preface match_preface(std::string_view bytes);

// One connection's end of HTTP/2 without I/O: bytes in, bytes out. Frames are libnghttp2's; what a
// peer may cost is counted here, because a library of this age counts little of it.
// Source: RFC 9113, RFC 7541. Threads: its owner's.
class Session {
 public:
  enum class Role { server, client };

  // Called from receive(), apart from on_output().
  class Handler {
   public:
    // Server: a client begins a request. nullptr: refused.
    virtual std::unique_ptr<Stream> make_stream() = 0;
    // Server: its head is there.
    virtual void on_request(std::unique_ptr<Stream> stream) = 0;
    // Client: no new streams from here on.
    virtual void on_goaway() = 0;
    // Server: the peer has read the announcement of announce_shutdown().
    virtual void on_shutdown_read() = 0;
    virtual void on_flood(Flood flood) = 0;
    // take_output() has something to give.
    virtual void on_output() = 0;

   protected:
    ~Handler() = default;
  };

  // `limits` and `handler` are the caller's for as long as this lives.
  Session(Role role, const Limits& limits, Handler& handler);
  ~Session();  // streams that are left are lost
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Error: `invalid`, with what the peer did; a GOAWAY that says so is in the output.
  Result<> receive(std::string_view bytes, Deadline now);
  // Appends what is to be sent, about `most` bytes of it.
  void take_output(std::string& out, std::size_t most);
  bool has_output() const;
  bool wants_input() const;
  // Neither side has anything to say any more.
  bool is_finished() const;
  // A header block has begun and not ended; a client's preface, not come yet.
  bool is_in_head() const { return !greeted_ || block_open_ || (in_block_ && !scanner_.between()); }
  std::uint64_t heads() const { return heads_; }  // header blocks that have begun so far
  std::size_t streams() const { return count_; }
  std::uint32_t peer_stream_limit() const;

  // Server. First a GOAWAY that excludes nothing, then, when the client can have read it, one that
  // says which streams are served.
  void announce_shutdown();
  void shutdown();
  // Ends everything with a GOAWAY.
  void terminate(ErrorCode code);
  // The connection is gone: streams are lost, and those of which no byte went out are untouched.
  void abandon(bool nothing_was_sent);

  // Server.
  void respond_interim(Stream& stream, const FieldBlock& head);
  enum class Body { none, follows };
  void respond(Stream& stream, const FieldBlock& head, Body body);
  // Client. False when no more streams can be opened on this connection.
  bool open(Stream& stream, const FieldBlock& head, Body body);

  // Body bytes to send: how many were taken; 0 when as many wait as may.
  std::size_t write(Stream& stream, std::string_view data);
  void end(Stream& stream, std::string_view trailers);
  // Body bytes that came were used: the peer may send as many more.
  void consume(Stream& stream, std::size_t bytes);
  void reset(Stream& stream, ErrorCode code);

 private:
  friend class Stream;
  struct Callbacks;
  struct Native;  // libnghttp2's session
  struct ClosedId {
    std::int32_t id = 0;
    bool reset_by_peer = false;
    bool ended_by_peer = false;
  };
  using Streams = boost::intrusive::list<Stream, boost::intrusive::constant_time_size<false>>;

  void detach(Stream& stream);
  void forget_arriving();
  void close(Stream& stream, ErrorCode code);
  bool charge(Flood flood);
  bool charge_provoked_reset();  // a client's fault made us reset a stream
  void fail(ErrorCode code, std::string why);
  void poke();
  void remember(ClosedId closed);
  void reset_sent(ErrorCode code);
  bool judge(const FrameHead& head);  // false: the connection ends
  bool judge_late(const FrameHead& head);
  bool feed(std::string_view bytes);
  void head_came(std::int32_t id, bool ended);
  void trailers_came(Stream& stream);
  Stream* find(std::int32_t id) const;

  const Role role_;
  const Limits& limits_;
  Handler& handler_;
  FloodGuard guard_;
  FrameScanner scanner_;
  std::unique_ptr<Native> native_;
  Streams live_;
  std::size_t count_ = 0;
  std::unique_ptr<Stream> arriving_;  // its head is not whole yet
  HeadText head_;                     // the block that comes now
  bool block_open_ = false;           // no frame with END_HEADERS yet
  bool in_block_ = false;             // the last frame belongs to a header block
  std::uint64_t heads_ = 0;
  bool greeted_ = false;  // the peer's SETTINGS came
  std::size_t continuations_ = 0;
  std::int32_t highest_ = 0;                 // of the peer's streams
  std::optional<std::int32_t> last_served_;  // of them, as the last GOAWAY says
  std::size_t provoked_ = 0;                 // resets that were charged and not sent yet
  std::array<ClosedId, 64> closed_{};
  std::size_t closed_at_ = 0;
  std::optional<std::pair<ErrorCode, std::string>> failure_;
  Deadline now_{};
};

}  // namespace heddle::http2
