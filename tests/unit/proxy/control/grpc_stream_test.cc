#include "proxy/control/grpc_stream.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <map>

namespace heddle::control {
namespace {

// The server's end, on nghttp2 as well.
class Server {
 public:
  Server() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &Server::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &Server::on_data);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Server() { nghttp2_session_del(session_); }

  void receive(std::string_view bytes) {
    nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                             bytes.size());
  }
  std::string output() {
    std::string out;
    const std::uint8_t* bytes = nullptr;
    while (true) {
      const auto n = nghttp2_session_mem_send(session_, &bytes);
      if (n <= 0) return out;
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
    }
  }
  void respond(std::string body) {
    body_ = std::move(body);
    const nghttp2_nv fields[] = {nv(":status", "200"), nv("content-type", "application/grpc")};
    nghttp2_data_provider provider{};
    provider.source.ptr = this;
    provider.read_callback = &Server::read_body;
    nghttp2_submit_response(session_, 1, fields, 2, &provider);
  }
  void end(std::string_view status, std::string_view message) {
    const nghttp2_nv trailers[] = {nv(":status", "200"), nv("grpc-status", status),
                                   nv("grpc-message", message)};
    nghttp2_submit_response(session_, 1, trailers, 3, nullptr);
  }

  std::map<std::string, std::string> headers;
  std::string data;

 private:
  static nghttp2_nv nv(std::string_view name, std::string_view value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
            value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* self) {
    static_cast<Server*>(self)
        ->headers[std::string(reinterpret_cast<const char*>(name), name_size)] =
        std::string(reinterpret_cast<const char*>(value), value_size);
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* bytes,
                     std::size_t size, void* self) {
    static_cast<Server*>(self)->data.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& body = static_cast<Server*>(source->ptr)->body_;
    const std::size_t n = std::min(room, body.size());
    std::copy_n(body.data(), n, into);
    body.erase(0, n);
    if (body.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return static_cast<ssize_t>(n);
  }
  nghttp2_session* session_ = nullptr;
  std::string body_;
};

std::string framed(std::string_view message) {
  const auto n = static_cast<char>(message.size());
  return std::string({0, 0, 0, 0, n}) + std::string(message);
}

struct Call {
  GrpcStream stream{"/s/M"};
  Server server;
  std::vector<std::string> messages;

  Result<> exchange(std::size_t step = 1 << 20) {
    server.receive(stream.take_output());
    const std::string out = server.output();
    const auto collect = [this](std::string_view message) { messages.emplace_back(message); };
    for (std::size_t at = 0; at < out.size(); at += step) {
      TRY_DO(stream.receive(std::string_view(out).substr(at, step), collect));
    }
    server.receive(stream.take_output());
    return {};
  }
};

TEST(GrpcStream, IsAGrpcCall) {
  Call call;
  call.stream.send("hello");
  ASSERT_TRUE(call.exchange());
  EXPECT_EQ(call.server.headers[":method"], "POST");
  EXPECT_EQ(call.server.headers[":path"], "/s/M");
  EXPECT_EQ(call.server.headers["content-type"], "application/grpc");
  EXPECT_EQ(call.server.headers["te"], "trailers");
  EXPECT_EQ(call.server.data, framed("hello"));
  call.stream.send("later");
  call.server.receive(call.stream.take_output());
  EXPECT_EQ(call.server.data, framed("hello") + framed("later"));
}

TEST(GrpcStream, MessagesComeOutWholeHoweverTheyArrive) {
  for (const std::size_t step : {1u, 3u, 1000u}) {
    Call call;
    ASSERT_TRUE(call.exchange());
    call.server.respond(framed("one") + framed("") + framed("three"));
    ASSERT_TRUE(call.exchange(step));
    EXPECT_EQ(call.messages, (std::vector<std::string>{"one", "", "three"}));
  }
}

TEST(GrpcStream, TheEndOfTheCallIsAnErrorWithItsStatus) {
  Call call;
  ASSERT_TRUE(call.exchange());
  call.server.end("7", "who are you");
  const auto result = call.exchange();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::unavailable);
  EXPECT_NE(result.error().text().find("status 7 (who are you)"), std::string::npos);
}

TEST(GrpcStream, CompressedOversizedAndForeignBytesEndIt) {
  Call compressed;
  ASSERT_TRUE(compressed.exchange());
  compressed.server.respond(std::string("\x01\0\0\0\x01x", 6));
  EXPECT_EQ(compressed.exchange().error().code(), Errc::invalid);

  Call oversized;
  ASSERT_TRUE(oversized.exchange());
  oversized.server.respond(std::string("\0\x7f\xff\xff\xff", 5));
  EXPECT_EQ(oversized.exchange().error().code(), Errc::invalid);

  GrpcStream stream("/s/M");
  EXPECT_FALSE(stream.receive("HTTP/1.1 400 Bad Request\r\n\r\n", [](std::string_view) {}));
}

}  // namespace
}  // namespace heddle::control
