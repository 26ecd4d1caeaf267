#include "proxy/http2/native.h"

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace heddle::http2 {
namespace {

constexpr std::size_t kHeadLimitFactor = 4;  // beyond it a head ends the connection
constexpr std::size_t kMostHeadSent = 256 << 10;

}  // namespace

void Session::Native::open(Role role, const Limits& limits, Session* owner) {
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &Callbacks::header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, &Callbacks::invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &Callbacks::frame_came);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
                                                               &Callbacks::frame_invalid);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Callbacks::data_came);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &Callbacks::frame_sent);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, &Callbacks::frame_not_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &Callbacks::closed);
  nghttp2_option* options = nullptr;
  CHECK(nghttp2_option_new(&options) == 0);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_option_set_no_closed_streams(options, 1);
  // Ours is met first, and counted. The library counts each read of a frame's head: up to nine.
  nghttp2_option_set_max_continuations(options, (limits.continuations + 1) * 9);
  nghttp2_option_set_max_send_header_block_length(options, kMostHeadSent);
  const int made = role == Role::server
                       ? nghttp2_session_server_new2(&session, callbacks, owner, options)
                       : nghttp2_session_client_new2(&session, callbacks, owner, options);
  CHECK(made == 0);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);

  const auto head_bytes = static_cast<std::uint32_t>(limits.message.head_bytes);
  const nghttp2_settings_entry first =
      role == Role::server
          ? nghttp2_settings_entry{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams}
          : nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
  const nghttp2_settings_entry settings[] = {
      first,
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, head_bytes},
  };
  CHECK(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
  CHECK(nghttp2_session_set_local_window_size(
            session, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(limits.connection_window)) ==
        0);
}

void Session::Native::set_fields(const FieldBlock& block) {
  fields.clear();
  for (std::size_t i = 0; i < block.size(); ++i) {
    const FieldBlock::Field field = block[i];
    const auto bytes = [](std::string_view text) {
      return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    const std::uint8_t flags =
        field.index == FieldBlock::Index::no ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    fields.push_back(
        {bytes(field.name), bytes(field.value), field.name.size(), field.value.size(), flags});
  }
}

nghttp2_data_provider Session::Native::provider() {
  nghttp2_data_provider provider{};
  provider.read_callback = &Callbacks::read_body;
  return provider;
}

int Session::Callbacks::begin_headers(nghttp2_session* native, const nghttp2_frame* frame,
                                      void* context) {
  auto& self = *static_cast<Session*>(context);
  self.head_.clear();
  if (self.role_ == Role::client || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  const std::int32_t id = frame->hd.stream_id;
  self.highest_ = std::max(self.highest_, id);
  // The GOAWAY that excludes it may not have left yet.
  if (self.last_served_ && id > *self.last_served_) {
    self.remember({id, false, false});
    return nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
  }
  self.arriving_ = self.handler_.make_stream();
  if (!self.arriving_) {
    nghttp2_submit_rst_stream(native, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    self.remember({id, false, false});
    return self.charge(Flood::reset) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  self.arriving_->id_ = id;
  self.arriving_->session_ = &self;
  self.live_.push_back(*self.arriving_);
  ++self.count_;
  nghttp2_session_set_stream_user_data(native, id, self.arriving_.get());
  return 0;
}

int Session::Callbacks::header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                               std::size_t name_size, const std::uint8_t* value,
                               std::size_t value_size, std::uint8_t, void* context) {
  auto& self = *static_cast<Session*>(context);
  const http::Limits& limits = self.limits_.message;
  if (self.head_.list_bytes() > kHeadLimitFactor * limits.head_bytes ||
      self.head_.count() > kHeadLimitFactor * limits.field_count) {
    self.handler_.on_flood(Flood::header_list);
    self.fail(ErrorCode::enhance_your_calm, std::string(metric_of(Flood::header_list)));
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  // Beyond the limit it only counts: the request gets 431.
  const bool kept = self.head_.list_bytes() <= limits.head_bytes;
  self.head_.add({reinterpret_cast<const char*>(name), name_size},
                 {reinterpret_cast<const char*>(value), value_size},
                 kept ? HeadText::Keep::yes : HeadText::Keep::no);
  return 0;
}

// The library would leave the field out and go on.
int Session::Callbacks::invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*,
                                       std::size_t, const std::uint8_t*, std::size_t, std::uint8_t,
                                       void*) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int Session::Callbacks::frame_came(nghttp2_session*, const nghttp2_frame* frame, void* context) {
  auto& self = *static_cast<Session*>(context);
  const bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  const std::int32_t id = frame->hd.stream_id;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      self.head_came(id, ended);
      break;
    case NGHTTP2_DATA:
      if (Stream* stream = ended ? self.find(id) : nullptr) {
        stream->in_ended_ = true;
        stream->on_came();
      }
      break;
    case NGHTTP2_RST_STREAM:
      if (Stream* stream = self.find(id)) {
        self.remember({id, true, stream->in_ended_});
        if (self.role_ == Role::server && !self.charge(Flood::reset)) break;
      }
      break;
    case NGHTTP2_SETTINGS:
      self.greeted_ = true;
      break;
    case NGHTTP2_GOAWAY:
      if (self.role_ == Role::client) self.handler_.on_goaway();
      break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) &&
          std::memcmp(frame->ping.opaque_data, Native::kShutdownPing.data(), 8) == 0) {
        self.handler_.on_shutdown_read();
      }
      break;
    default:
      break;
  }
  return self.failure_ ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

// The library resets the stream when the frame is sent; its owner need not wait for that.
int Session::Callbacks::frame_invalid(nghttp2_session*, const nghttp2_frame* frame, int,
                                      void* context) {
  auto& self = *static_cast<Session*>(context);
  const std::int32_t id = frame->hd.stream_id;
  if (id == 0) return 0;
  if (self.arriving_ && self.arriving_->id_ == id) {
    self.forget_arriving();
  } else if (Stream* stream = self.find(id)) {
    stream->reset_by_us_ = true;
    stream->over_ = ErrorCode::protocol_error;
    stream->on_came();
    stream->on_room();
  }
  return self.role_ == Role::client || self.charge_provoked_reset() ? 0
                                                                    : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int Session::Callbacks::data_came(nghttp2_session* native, std::uint8_t, std::int32_t id,
                                  const std::uint8_t* data, std::size_t size, void* context) {
  auto& self = *static_cast<Session*>(context);
  self.guard_.earn_data();
  Stream* stream = self.find(id);
  if (!stream || stream->over_) {
    nghttp2_session_consume(native, id, size);
    return 0;
  }
  std::memcpy(stream->in_.prepare(size).data(), data, size);
  stream->in_.commit(size);
  stream->on_came();
  return 0;
}

int Session::Callbacks::frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* context) {
  auto& self = *static_cast<Session*>(context);
  const bool data = frame->hd.type == NGHTTP2_DATA;
  if (data && frame->hd.length > 0) self.guard_.earn_data();
  if (frame->hd.type == NGHTTP2_RST_STREAM && self.role_ == Role::server) {
    self.reset_sent(static_cast<ErrorCode>(frame->rst_stream.error_code));
  }
  if ((data || frame->hd.type == NGHTTP2_HEADERS) && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
    if (Stream* stream = self.find(frame->hd.stream_id)) {
      stream->out_sent_ = true;
      stream->on_room();
    }
  }
  return 0;
}

// A request that a client's session could not send any more, because of a GOAWAY.
int Session::Callbacks::frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int,
                                       void* context) {
  auto& self = *static_cast<Session*>(context);
  if (self.role_ == Role::server || frame->hd.type != NGHTTP2_HEADERS) return 0;
  for (Stream& stream : self.live_) {
    if (stream.id_ != frame->hd.stream_id) continue;
    self.close(stream, ErrorCode::refused_stream);
    break;
  }
  return 0;
}

int Session::Callbacks::closed(nghttp2_session* native, std::int32_t id, std::uint32_t code,
                               void* context) {
  auto& self = *static_cast<Session*>(context);
  if (self.arriving_ && self.arriving_->id_ == id) self.forget_arriving();
  Stream* stream = self.find(id);
  if (!stream) return 0;
  nghttp2_session_set_stream_user_data(native, id, nullptr);
  const bool seen =
      std::ranges::any_of(self.closed_, [&](const auto& one) { return one.id == id; });
  if (!seen) self.remember({id, false, stream->in_ended_});
  self.close(*stream, static_cast<ErrorCode>(code));
  return 0;
}

ssize_t Session::Callbacks::read_body(nghttp2_session* native, std::int32_t id, std::uint8_t* into,
                                      std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                                      void* context) {
  auto& self = *static_cast<Session*>(context);
  Stream* stream = self.find(id);
  if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  if (stream->out_.empty() && !stream->out_ended_) {
    stream->deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t before = stream->out_.size();
  const std::size_t n = std::min(room, before);
  if (n) std::memcpy(into, stream->out_.view().data(), n);
  stream->out_.consume(n);
  const std::size_t half = self.limits_.stream_buffer / 2;
  if (before > half && before - n <= half) stream->on_room();
  if (stream->out_.empty() && stream->out_ended_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream->out_trailers_.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      self.native_->set_fields(stream->out_trailers_);
      (void)nghttp2_submit_trailer(native, id, self.native_->fields.data(),
                                   self.native_->fields.size());
    }
  }
  return static_cast<ssize_t>(n);
}

}  // namespace heddle::http2
