#include "proxy/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "common/base/check.h"
#include "proxy/http/field.h"
#include "proxy/http2/native.h"

namespace heddle::http2 {

namespace {

constexpr std::uint8_t kPriorityUpdate = 0x10;  // RFC 9218

// Which budget a frame is charged to, by its head alone.
std::optional<Flood> flood_of(const FrameHead& head) {
  const bool ack = head.flags & NGHTTP2_FLAG_ACK;
  switch (head.type) {
    case NGHTTP2_PING:
      return ack ? std::nullopt : std::optional(Flood::ping);
    case NGHTTP2_SETTINGS:
      return ack ? std::nullopt : std::optional(Flood::settings);
    case NGHTTP2_PRIORITY:
    case kPriorityUpdate:
      return Flood::priority;
    case NGHTTP2_WINDOW_UPDATE:
      return Flood::window_update;
    case NGHTTP2_DATA:
      if (head.flags & NGHTTP2_FLAG_END_STREAM) return std::nullopt;
      // All of a small padded frame may be padding.
      if (head.length > ((head.flags & NGHTTP2_FLAG_PADDED) ? 256 : 0)) return std::nullopt;
      return Flood::empty_data;
    case NGHTTP2_HEADERS:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_PUSH_PROMISE:
    case NGHTTP2_GOAWAY:
    case NGHTTP2_CONTINUATION:
      return std::nullopt;
    default:
      return Flood::unknown;
  }
}

}  // namespace

Preface match_preface(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kPreface.front()) return Preface::no;
  if (bytes.starts_with(kPreface)) return Preface::yes;
  return kPreface.starts_with(bytes) ? Preface::begun : Preface::no;
}

Session::Session(Role role, const Limits& limits, Handler& handler)
    : role_(role),
      limits_(limits),
      handler_(handler),
      guard_(limits),
      scanner_(role == Role::server ? kPreface.size() : 0),
      native_(std::make_unique<Native>()) {
  native_->open(role, limits, this);
  greeted_ = role == Role::client;
}

Session::~Session() {
  abandon(false);
}

Stream::~Stream() {
  if (session_) session_->detach(*this);
}

// Whoever had the stream does not want it any more; the peer is told if it is not over.
void Session::detach(Stream& stream) {
  if (const std::size_t unread = stream.in_.size()) {
    nghttp2_session_consume(native_->session, stream.id_, unread);
  }
  if (!stream.reset_by_us_) {
    nghttp2_submit_rst_stream(native_->session, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_CANCEL);
  }
  nghttp2_session_set_stream_user_data(native_->session, stream.id_, nullptr);
  remember({stream.id_, false, stream.in_ended_});
  stream.session_ = nullptr;
  stream.unlink();
  --count_;
  poke();
}

void Session::forget_arriving() {
  if (!arriving_) return;
  nghttp2_session_set_stream_user_data(native_->session, arriving_->id_, nullptr);
  remember({arriving_->id_, false, false});
  arriving_->session_ = nullptr;
  arriving_->unlink();
  --count_;
  arriving_.reset();
}

void Session::close(Stream& stream, ErrorCode code) {
  stream.session_ = nullptr;
  stream.unlink();
  --count_;
  // What was not read yet may still be; it holds up no other stream.
  if (const std::size_t unread = stream.in_.size()) {
    nghttp2_session_consume_connection(native_->session, unread);
  }
  if (!stream.over_) stream.over_ = code;
  if (stream.in_ended_ && stream.out_sent_) guard_.earn_stream();
  stream.on_came();
  stream.on_room();
}

void Session::abandon(bool nothing_was_sent) {
  forget_arriving();
  while (!live_.empty()) {
    Stream& stream = live_.front();
    nghttp2_session_set_stream_user_data(native_->session, stream.id_, nullptr);
    close(stream, nothing_was_sent ? ErrorCode::refused_stream : ErrorCode::internal_error);
  }
}

bool Session::charge(Flood flood) {
  if (guard_.charge(flood, now_)) return true;
  handler_.on_flood(flood);
  fail(ErrorCode::enhance_your_calm, std::string(metric_of(flood)));
  return false;
}

bool Session::charge_provoked_reset() {
  ++provoked_;
  return charge(Flood::reset);
}

void Session::fail(ErrorCode code, std::string why) {
  if (!failure_) failure_.emplace(code, std::move(why));
}

void Session::poke() {
  if (has_output()) handler_.on_output();
}

bool Session::has_output() const {
  return nghttp2_session_want_write(native_->session) != 0;
}

bool Session::wants_input() const {
  return nghttp2_session_want_read(native_->session) != 0;
}

bool Session::is_finished() const {
  return !has_output() && !wants_input();
}

std::uint32_t Session::peer_stream_limit() const {
  return nghttp2_session_get_remote_settings(native_->session,
                                             NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

Stream* Session::find(std::int32_t id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(native_->session, id));
}

// The library resets streams for faults that it tells nobody of.
void Session::reset_sent(ErrorCode code) {
  const bool provoked = code == ErrorCode::protocol_error || code == ErrorCode::stream_closed ||
                        code == ErrorCode::flow_control_error;
  if (!provoked) return;
  if (provoked_ > 0) {
    --provoked_;
  } else {
    (void)charge(Flood::reset);
  }
}

void Session::remember(ClosedId closed) {
  closed_[closed_at_] = closed;
  closed_at_ = (closed_at_ + 1) % closed_.size();
}

// DATA or HEADERS for a stream that the library has forgotten. It would let them pass in silence.
bool Session::judge_late(const FrameHead& head) {
  const std::int32_t id = head.stream;
  if (id > highest_ || id % 2 == 0) return true;  // new, idle or not the client's: the library's
  if (!charge(Flood::late)) return false;
  for (const ClosedId& closed : closed_) {
    if (closed.id != id) continue;
    if (closed.ended_by_peer) {
      fail(ErrorCode::stream_closed, "a frame for a stream that its sender had ended");
      return false;
    }
    if (closed.reset_by_peer) {
      nghttp2_submit_rst_stream(native_->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
    }
    return true;  // else it may have been under way when we reset the stream
  }
  const bool known = std::ranges::any_of(
      closed_, [&](const ClosedId& closed) { return closed.id != 0 && closed.id < id; });
  const bool full = closed_[closed_at_].id != 0;
  if (head.type == NGHTTP2_HEADERS && (known || !full)) {
    fail(ErrorCode::protocol_error, "a stream id below one that was used");
    return false;
  }
  return true;
}

bool Session::judge(const FrameHead& head) {
  const auto flood = flood_of(head);
  if (flood && !charge(*flood)) return false;
  in_block_ = head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_CONTINUATION;
  if (in_block_) block_open_ = !(head.flags & NGHTTP2_FLAG_END_HEADERS);
  if (head.type == NGHTTP2_CONTINUATION) {
    if (++continuations_ <= limits_.continuations) return true;
    handler_.on_flood(Flood::continuation);
    fail(ErrorCode::enhance_your_calm, std::string(metric_of(Flood::continuation)));
    return false;
  }
  if (head.type == NGHTTP2_HEADERS) {
    continuations_ = 0;
    ++heads_;
  }
  const bool opens = head.type == NGHTTP2_HEADERS || head.type == NGHTTP2_DATA;
  if (!opens || role_ == Role::client || head.stream <= 0) return true;
  return nghttp2_session_find_stream(native_->session, head.stream) || judge_late(head);
}

bool Session::feed(std::string_view bytes) {
  if (bytes.empty()) return true;
  const auto taken = nghttp2_session_mem_recv(
      native_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken >= 0) return !failure_;
  switch (taken) {
    case NGHTTP2_ERR_FLOODED:
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
      fail(ErrorCode::enhance_your_calm, nghttp2_strerror(static_cast<int>(taken)));
      break;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
    case NGHTTP2_ERR_SETTINGS_EXPECTED:
      fail(ErrorCode::protocol_error, "the connection does not begin as HTTP/2");
      break;
    default:
      fail(ErrorCode::internal_error, nghttp2_strerror(static_cast<int>(taken)));
      break;
  }
  return false;
}

// Each frame's head is judged when the library has seen all that came before it.
Result<> Session::receive(std::string_view bytes, Deadline now) {
  now_ = now;
  std::size_t fed = 0;
  std::size_t at = 0;
  std::size_t began = 0;
  bool good = true;
  while (good) {
    const auto head = scanner_.next(bytes, at, began);
    if (!head) break;
    const bool looks_back = head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_DATA;
    if (looks_back && began > fed) {
      good = feed(bytes.substr(fed, began - fed));
      fed = began;
    }
    good = good && judge(*head);
  }
  if (good) good = feed(bytes.substr(fed));
  if (!good) {
    terminate(failure_->first);
    return heddle::fail(Errc::invalid, failure_->second);
  }
  poke();
  return {};
}

void Session::take_output(std::string& out, std::size_t most) {
  while (out.size() < most) {
    const std::uint8_t* data = nullptr;
    const auto n = nghttp2_session_mem_send(native_->session, &data);
    if (n <= 0) return;
    out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
  }
}

void Session::announce_shutdown() {
  nghttp2_submit_shutdown_notice(native_->session);
  nghttp2_submit_ping(native_->session, NGHTTP2_FLAG_NONE, Native::kShutdownPing.data());
  poke();
}

void Session::shutdown() {
  last_served_ = highest_;
  nghttp2_submit_goaway(native_->session, NGHTTP2_FLAG_NONE, highest_, NGHTTP2_NO_ERROR, nullptr,
                        0);
  poke();
}

void Session::terminate(ErrorCode code) {
  nghttp2_session_terminate_session(native_->session, static_cast<std::uint32_t>(code));
  poke();
}

void Session::respond_interim(Stream& stream, const FieldBlock& head) {
  if (!stream.session_ || stream.answered_) return;
  native_->set_fields(head);
  nghttp2_submit_headers(native_->session, NGHTTP2_FLAG_NONE, stream.id_, nullptr,
                         native_->fields.data(), native_->fields.size(), nullptr);
  poke();
}

void Session::respond(Stream& stream, const FieldBlock& head, Body body) {
  if (!stream.session_ || stream.answered_) return;
  stream.answered_ = true;
  native_->set_fields(head);
  if (body == Body::none) stream.out_ended_ = true;
  const nghttp2_data_provider provider = Native::provider();
  nghttp2_submit_response(native_->session, stream.id_, native_->fields.data(),
                          native_->fields.size(), body == Body::none ? nullptr : &provider);
  poke();
}

bool Session::open(Stream& stream, const FieldBlock& head, Body body) {
  native_->set_fields(head);
  if (body == Body::none) stream.out_ended_ = true;
  const nghttp2_data_provider provider = Native::provider();
  const std::int32_t id = nghttp2_submit_request(native_->session, nullptr, native_->fields.data(),
                                                 native_->fields.size(),
                                                 body == Body::none ? nullptr : &provider, &stream);
  if (id < 0) return false;
  stream.id_ = id;
  stream.session_ = this;
  live_.push_back(stream);
  ++count_;
  poke();
  return true;
}

std::size_t Session::write(Stream& stream, std::string_view data) {
  if (!stream.session_ || stream.out_ended_) return data.size();
  const std::size_t waiting = stream.out_.size();
  if (waiting >= limits_.stream_buffer) return 0;
  const std::size_t n = std::min(data.size(), limits_.stream_buffer - waiting);
  std::memcpy(stream.out_.prepare(n).data(), data.data(), n);
  stream.out_.commit(n);
  native_->resume(stream.id_, stream.deferred_);
  poke();
  return n;
}

void Session::end(Stream& stream, std::string_view trailers) {
  if (!stream.session_ || stream.out_ended_) return;
  stream.out_ended_ = true;
  append_trailers(stream.out_trailers_, trailers);
  native_->resume(stream.id_, stream.deferred_);
  poke();
}

void Session::consume(Stream& stream, std::size_t bytes) {
  stream.in_.consume(bytes);
  if (!stream.session_) return;
  nghttp2_session_consume(native_->session, stream.id_, bytes);
  poke();
}

void Session::reset(Stream& stream, ErrorCode code) {
  if (!stream.session_ || stream.reset_by_us_) return;
  stream.reset_by_us_ = true;
  stream.over_ = code;
  nghttp2_submit_rst_stream(native_->session, NGHTTP2_FLAG_NONE, stream.id_,
                            static_cast<std::uint32_t>(code));
  poke();
}

void Session::head_came(std::int32_t id, bool ended) {
  if (arriving_ && arriving_->id_ == id) {
    Stream* stream = arriving_.get();
    if (!head_.is_valid()) {
      nghttp2_submit_rst_stream(native_->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
      forget_arriving();
      (void)charge_provoked_reset();
      return;
    }
    stream->in_ended_ = ended;
    stream->head_too_large_ = head_.list_bytes() > limits_.message.head_bytes ||
                              head_.count() > limits_.message.field_count + 5;
    if (!stream->head_too_large_) stream->heads_.push_back(head_.request(ended));
    handler_.on_request(std::move(arriving_));
    return;
  }
  Stream* stream = find(id);
  if (!stream) return;
  if (!head_.has_status() || role_ == Role::server) {
    trailers_came(*stream);
  } else if (!head_.is_valid() || stream->heads_.size() >= limits_.interim_heads) {
    reset(*stream, ErrorCode::protocol_error);
  } else {
    stream->heads_.push_back(head_.response());
  }
  if (ended) stream->in_ended_ = true;
  stream->on_came();
}

void Session::trailers_came(Stream& stream) {
  std::string lines = head_.trailers();
  std::vector<http::HeaderField> fields;
  bool good = head_.may_be_trailers() && lines.size() <= limits_.message.trailer_bytes &&
              !http::parse_fields(lines, limits_.message, fields);
  // Nothing that frames, routes or authenticates may come late: RFC 9110, section 6.5.1.
  for (const http::HeaderField& field : fields) {
    if (field.id != http::FieldId::other) good = false;
  }
  if (good) {
    stream.in_trailers_ = std::move(lines);
  } else {
    reset(stream, ErrorCode::protocol_error);
    (void)charge_provoked_reset();
  }
}

}  // namespace heddle::http2
