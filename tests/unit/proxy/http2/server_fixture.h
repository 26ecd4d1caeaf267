#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/http2/session.h"
#include "tests/support/proxy/http2_frames.h"

namespace heddle::http2 {

namespace h2 = testing::h2;

constexpr std::uint8_t kWhole = h2::kEndHeaders | h2::kEndStream;

class TestStream final : public Stream {
 public:
  int came = 0;
  int room = 0;

 private:
  void on_came() override { ++came; }
  void on_room() override { ++room; }
};

// A server's session, a byte-exact client, and a clock that stands still unless it is moved.
class Http2Server : public ::testing::Test, protected Session::Handler {
 protected:
  Http2Server() { say(h2::preface() + h2::frame(h2::kSettings, h2::kAck, 0, "")); }
  ~Http2Server() override { requests.clear(); }

  std::unique_ptr<Stream> make_stream() override {
    return refuse ? nullptr : std::make_unique<TestStream>();
  }
  void on_request(std::unique_ptr<Stream> stream) override {
    requests.emplace_back(static_cast<TestStream*>(stream.release()));
  }
  void on_goaway() override {}
  void on_shutdown_read() override { shutdown_read = true; }
  void on_flood(Flood flood) override { floods.push_back(flood); }
  void on_output() override {}

  // False once the session is broken.
  bool say(std::string_view bytes) {
    broken = broken || !session.receive(bytes, now);
    session.take_output(output, std::string::npos);
    return !broken;
  }
  bool open(std::uint32_t id, h2::Fields fields, std::uint8_t flags) {
    return say(h2::headers(id, fields, flags));
  }
  std::vector<h2::Frame> said() {
    session.take_output(output, std::string::npos);
    return h2::parse(output);
  }
  std::optional<std::uint32_t> goaway() { return h2::goaway(said()); }

  Limits limits;
  Deadline now{std::chrono::hours(1)};
  Session session{Session::Role::server, limits, *this};
  std::string output;
  bool broken = false;
  bool refuse = false;
  bool shutdown_read = false;
  std::vector<std::unique_ptr<TestStream>> requests;
  std::vector<Flood> floods;
};

}  // namespace heddle::http2
