#include "proxy/control/grpc_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "common/base/check.h"

namespace heddle::control {
namespace {

constexpr std::int32_t kWindow = 4 << 20;

nghttp2_nv header(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct GrpcStream::State {
  nghttp2_session* session = nullptr;
  std::int32_t stream = -1;
  std::string outgoing;  // framed messages not yet in DATA frames
  bool deferred = false;
  std::string incoming;  // a message that is not whole yet
  const std::function<void(std::string_view)>* on_message = nullptr;
  std::optional<Error> error;
  std::string http_status;
  std::string grpc_status;
  std::string grpc_message;

  ~State() { nghttp2_session_del(session); }

  void fail_once(Errc code, std::string text) {
    if (!error) error = Error(code, std::move(text));
  }

  void take_data(std::string_view data) {
    incoming.append(data);
    std::size_t at = 0;
    while (!error && incoming.size() - at >= 5) {
      const auto byte = [&](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(incoming[at + i]));
      };
      const std::uint32_t size = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
      if (byte(0) != 0) {
        fail_once(Errc::invalid, "the server sent a compressed message, which was not offered");
      } else if (size > kMaxMessageBytes) {
        fail_once(Errc::invalid, "the server sent a message of " + std::to_string(size) +
                                     " bytes, above the limit of 16 MiB");
      } else if (incoming.size() - at - 5 < size) {
        break;
      } else {
        if (on_message) (*on_message)(std::string_view(incoming).substr(at + 5, size));
        at += 5 + size;
      }
    }
    incoming.erase(0, at);
    if (incoming.empty() && incoming.capacity() > (64 << 10)) incoming.shrink_to_fit();
  }

  void ended() {
    if (!grpc_status.empty()) {
      fail_once(Errc::unavailable, "the server ended the call with status " + grpc_status +
                                       (grpc_message.empty() ? "" : " (" + grpc_message + ")"));
    } else {
      fail_once(Errc::unavailable, "the server closed the call, HTTP status " +
                                       (http_status.empty() ? "none" : http_status));
    }
  }

  static ssize_t read_outgoing(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                               std::uint32_t*, nghttp2_data_source* source, void*) {
    auto& state = *static_cast<State*>(source->ptr);
    if (state.outgoing.empty()) {
      state.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t n = std::min(room, state.outgoing.size());
    std::memcpy(into, state.outgoing.data(), n);
    state.outgoing.erase(0, n);
    return static_cast<ssize_t>(n);
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data,
                     std::size_t size, void* self) {
    static_cast<State*>(self)->take_data({reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* self) {
    auto& state = *static_cast<State*>(self);
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    std::string text(reinterpret_cast<const char*>(value), std::min<std::size_t>(value_size, 512));
    if (key == ":status")
      state.http_status = std::move(text);
    else if (key == "grpc-status")
      state.grpc_status = std::move(text);
    else if (key == "grpc-message")
      state.grpc_message = std::move(text);
    return 0;
  }

  // The server's end of the call may close while ours is open.
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    auto& state = *static_cast<State*>(self);
    const bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (last && frame->hd.stream_id == state.stream) state.ended();
    return 0;
  }

  static int on_error(nghttp2_session*, int code, const char* text, std::size_t size, void* self) {
    if (code == NGHTTP2_ERR_SETTINGS_EXPECTED) {
      static_cast<State*>(self)->fail_once(
          Errc::unavailable, "the server does not speak HTTP/2: " + std::string(text, size));
    }
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t stream, std::uint32_t, void* self) {
    auto& state = *static_cast<State*>(self);
    if (stream == state.stream) state.ended();
    return 0;
  }
};

GrpcStream::GrpcStream(std::string path) : state_(std::make_unique<State>()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &State::on_data);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &State::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &State::on_frame);
  nghttp2_session_callbacks_set_error_callback2(callbacks, &State::on_error);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &State::on_close);
  CHECK(nghttp2_session_client_new(&state_->session, callbacks, state_.get()) == 0);
  nghttp2_session_callbacks_del(callbacks);

  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow},
  };
  CHECK(nghttp2_submit_settings(state_->session, NGHTTP2_FLAG_NONE, settings, 2) == 0);
  CHECK(nghttp2_session_set_local_window_size(state_->session, NGHTTP2_FLAG_NONE, 0, kWindow) == 0);

  const nghttp2_nv headers[] = {
      header(":method", "POST"),
      header(":scheme", "http"),
      header(":path", path),
      header(":authority", "localhost"),
      header("te", "trailers"),
      header("content-type", "application/grpc"),
      header("user-agent", "heddle-proxy"),
  };
  nghttp2_data_provider body{};
  body.source.ptr = state_.get();
  body.read_callback = &State::read_outgoing;
  state_->stream =
      nghttp2_submit_request(state_->session, nullptr, headers, std::size(headers), &body, nullptr);
  CHECK(state_->stream > 0);
}

GrpcStream::~GrpcStream() = default;

void GrpcStream::send(std::string_view message) {
  const auto size = static_cast<std::uint32_t>(message.size());
  const char prefix[5] = {0, static_cast<char>(size >> 24), static_cast<char>(size >> 16),
                          static_cast<char>(size >> 8), static_cast<char>(size)};
  state_->outgoing.append(prefix, sizeof prefix).append(message);
  if (state_->deferred) {
    state_->deferred = false;
    // Fails only if the stream ended, which receive() reports.
    (void)nghttp2_session_resume_data(state_->session, state_->stream);
  }
}

Result<> GrpcStream::receive(std::string_view bytes,
                             const std::function<void(std::string_view)>& on_message) {
  state_->on_message = &on_message;
  const auto taken = nghttp2_session_mem_recv(
      state_->session, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  state_->on_message = nullptr;
  if (taken < 0) {
    state_->fail_once(Errc::unavailable, std::string("the server broke the HTTP/2 protocol: ") +
                                             nghttp2_strerror(static_cast<int>(taken)));
  }
  if (!state_->error && nghttp2_session_want_read(state_->session) == 0) state_->ended();
  if (state_->error) return std::unexpected(*state_->error);
  return {};
}

std::string GrpcStream::take_output() {
  std::string out;
  while (true) {
    const std::uint8_t* data = nullptr;
    const auto n = nghttp2_session_mem_send(state_->session, &data);
    if (n <= 0) return out;
    out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
  }
}

}  // namespace heddle::control
