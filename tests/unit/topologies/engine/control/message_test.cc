#include "topologies/engine/control/message.h"

#include <gtest/gtest.h>

namespace heddle::control {
namespace {

TEST(Message, RequestsSurviveTheWire) {
  const Request request{.op = Op::exec,
                        .target = "h1",
                        .command = {"sh", "-c", "echo \"\xff\""},
                        .background = "bg",
                        .timeout = std::chrono::milliseconds(1234),
                        .text = "t",
                        .after = 1ULL << 40,
                        .kind = "check",
                        .value = -5000};
  const auto back = decode_request(encode(request));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, request);
}

const format::Impairment kImpairment{.delay = std::chrono::milliseconds(50),
                                     .jitter = std::chrono::microseconds(1500),
                                     .distribution = format::Distribution::pareto,
                                     .loss = 0.0123,
                                     .loss_burst = 4.5,
                                     .duplicate = 0.25,
                                     .corrupt = 1,
                                     .reorder = 1e-6,
                                     .rate = 2'500'000'000,
                                     .limit = 17};

TEST(Message, RequestsOfLinksSurviveTheWire) {
  for (const Op op : {Op::cut, Op::mend, Op::impair, Op::partition}) {
    const Request request{.op = op,
                          .target = "a:eth1",
                          .timeout = std::chrono::milliseconds(1),
                          .forward = kImpairment,
                          .severed = {{"h1", "h2"}, {"h2", "h1"}}};
    const auto back = decode_request(encode(request));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, request);
  }
}

TEST(Message, LinksOfAStatusSurviveTheWire) {
  Reply reply;
  reply.status = LabStatus{.name = "x", .file = "f", .members = {}, .background = {}};
  reply.status->links.push_back({.a = "a:eth1",
                                 .b = "b:eth1",
                                 .state = "cut",
                                 .wire = true,
                                 .backend = "loss by bpf",
                                 .forward = {.impairment = kImpairment,
                                             .packets = 9,
                                             .lost = 1,
                                             .corrupted = 2,
                                             .duplicated = 3,
                                             .reordered = 4,
                                             .overflowed = 5},
                                 .backward = {}});
  reply.status->fidelity = {.relay = true,
                            .late_p50 = std::chrono::microseconds(1),
                            .late_p99 = std::chrono::microseconds(2),
                            .late_max = std::chrono::microseconds(3),
                            .relayed = 4,
                            .overrun = 5,
                            .realtime = true,
                            .starved_p99 = std::chrono::microseconds(6),
                            .starved_max = std::chrono::microseconds(7)};
  const auto back = decode_reply(encode(reply));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->status, reply.status);
}

TEST(Message, WrongImpairmentsAndPairsAreRefused) {
  for (const char* bad :
       {R"({"op":"impair","forward":{"loss":1.5}})", R"({"op":"impair","forward":{"loss":"1%"}})",
        R"({"op":"impair","backward":{"burst":0}})", R"({"op":"impair","forward":[]})",
        R"({"op":"impair","forward":{"delay_us":-1}})",
        R"({"op":"impair","forward":{"delay_us":60000001}})",
        R"({"op":"impair","forward":{"distribution":"gauss"}})",
        R"({"op":"partition","severed":[["a"]]})", R"({"op":"partition","severed":["a","b"]})",
        R"({"op":"partition","severed":[["a",1]]})", R"({"op":"partition","severed":{}})"}) {
    const auto refused = decode_request(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code(), Errc::invalid) << bad;
  }
}

TEST(Message, AnUpdateSurvivesTheWire) {
  const Request request{.op = Op::update,
                        .target = "f.yml",
                        .text = "name: x\n",
                        .directory = "/tmp",
                        .env = {{"A", "1"}},
                        .dry_run = true};
  const auto back = decode_request(encode(request));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, request);
  Reply reply;
  reply.did = {"add c", "remove d"};
  const auto answer = decode_reply(encode(reply));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->did, reply.did);
  EXPECT_FALSE(decode_request("{\"op\":\"update\",\"env\":[1]}"));
  EXPECT_FALSE(decode_request("{\"op\":\"update\",\"dry_run\":1}"));
}

TEST(Message, RepliesSurviveTheWire) {
  Reply reply;
  reply.result = ExecResult{.exit = 137,
                            .signal = 9,
                            .timed_out = true,
                            .time = std::chrono::milliseconds(5),
                            .out = "a\nb\x80",
                            .err = "",
                            .dropped_bytes = 7,
                            .running = true,
                            .printed_bytes = 99};
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
  reply.events = {{.number = 1ULL << 40,
                   .unix_ms = 1'700'000'000'000,
                   .kind = "k",
                   .subject = "s",
                   .text = "t"}};
  reply.text = "";
  const auto back = decode_reply(encode(reply));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->events, reply.events);
  EXPECT_EQ(back->text, "");
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
  const auto back = decode_progress(encode(Progress{.did = "built",
                                                    .time = std::chrono::milliseconds(3),
                                                    .ready = true,
                                                    .error = std::nullopt,
                                                    .done = 3,
                                                    .total = 4}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->did, "built");
  EXPECT_TRUE(back->ready);
  EXPECT_EQ(back->done, 3U);
  EXPECT_EQ(back->total, 4U);
}

}  // namespace
}  // namespace heddle::control
