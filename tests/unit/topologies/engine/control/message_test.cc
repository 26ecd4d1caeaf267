#include "topologies/engine/control/message.h"

#include <gtest/gtest.h>

namespace heddle::control {
namespace {

TEST(Message, RequestsSurviveTheWire) {
  const Request request{.op = Op::exec,
                        .target = "h1",
                        .command = {"sh", "-c", "echo \"\xff\""},
                        .background = "bg",
                        .timeout = std::chrono::milliseconds(1234)};
  const auto back = decode_request(encode(request));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, request);
}

TEST(Message, RepliesSurviveTheWire) {
  Reply reply;
  reply.result = ExecResult{.exit = 137,
                            .signal = 9,
                            .timed_out = true,
                            .time = std::chrono::milliseconds(5),
                            .out = "a\nb\x80",
                            .err = "",
                            .dropped_bytes = 7};
  reply.status = LabStatus{.name = "x",
                           .file = "f",
                           .daemon_pid = 3,
                           .members = {{.name = "h1",
                                        .kind = "host",
                                        .state = "down",
                                        .address = "10.0.0.1",
                                        .socket = "s",
                                        .netns = "n",
                                        .cgroup = "c",
                                        .log = "l",
                                        .daemon_pid = 4}},
                           .background = {{.name = "b", .on = "h1", .pid = 5, .running = true}}};
  reply.entry = Entry{.netns = "n",
                      .mounts = "m",
                      .uts = "u",
                      .hostname = "h",
                      .cgroup = "c",
                      .directory = "d",
                      .env = {{"A", "1"}}};
  const auto back = decode_reply(encode(reply));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->result, reply.result);
  EXPECT_EQ(back->status, reply.status);
  EXPECT_EQ(back->entry, reply.entry);
}

TEST(Message, ErrorsKeepTheirCode) {
  Reply reply;
  reply.error = Error(Errc::in_use, "it is");
  const auto back = decode_reply(encode(reply));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->error->code(), Errc::in_use);
  EXPECT_EQ(back->error->text(), "it is");
}

TEST(Message, ForeignBytesAreRefused) {
  for (const char* bad :
       {"", "x", "[]", "1", "{}", "{\"op\":1}", "{\"op\":\"format-disk\"}",
        "{\"op\":\"exec\",\"command\":\"ls\"}", "{\"op\":\"exec\",\"command\":[1]}",
        "{\"op\":\"exec\",\"timeout_ms\":-1}", "{\"op\":\"exec\",\"timeout_ms\":1e300}",
        "{\"op\":\"exec\",\"command\":[\"a\\u0000b\"]}",
        "{\"op\":\"exec\",\"target\":[[[[[[[[[[]]]]]]]]]]}"})
    EXPECT_FALSE(decode_request(bad)) << bad;
  EXPECT_FALSE(decode_request(std::string(kMaxRequest + 1, ' ')));
}

TEST(Message, ProgressSurvivesTheWire) {
  const auto back = decode_progress(encode(Progress{
      .did = "built", .time = std::chrono::milliseconds(3), .ready = true, .error = std::nullopt}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->did, "built");
  EXPECT_TRUE(back->ready);
}

}  // namespace
}  // namespace heddle::control
