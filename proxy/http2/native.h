#pragma once
#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <vector>

#include "proxy/http2/session.h"

// libnghttp2's side of a Session. Internal to this folder.
namespace heddle::http2 {

struct Session::Native {
  static constexpr std::array<std::uint8_t, 8> kShutdownPing = {'s', 'h', 'u', 't',
                                                                'd', 'o', 'w', 'n'};
  Native() = default;
  Native(const Native&) = delete;
  Native& operator=(const Native&) = delete;
  ~Native() { nghttp2_session_del(session); }

  void open(Role role, const Limits& limits, Session* owner);
  // In `fields`, until the next call or the block's end.
  void set_fields(const FieldBlock& block);
  static nghttp2_data_provider provider();
  void resume(std::int32_t id, bool& deferred) {
    if (!deferred) return;
    deferred = false;
    (void)nghttp2_session_resume_data(session, id);  // fails if the stream is over
  }

  nghttp2_session* session = nullptr;
  std::vector<nghttp2_nv> fields;
};

struct Session::Callbacks {
  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                    std::uint8_t flags, void* self);
  static int invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                            std::size_t name_size, const std::uint8_t* value,
                            std::size_t value_size, std::uint8_t flags, void* self);
  static int frame_came(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int frame_invalid(nghttp2_session*, const nghttp2_frame* frame, int code, void* self);
  static int data_came(nghttp2_session*, std::uint8_t flags, std::int32_t id,
                       const std::uint8_t* data, std::size_t size, void* self);
  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int code, void* self);
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* self);
  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void* self);
};

}  // namespace heddle::http2
