#include "proxy/config/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "common/async/task_group.h"
#include "proxy/config/bind.h"

namespace heddle::config {
namespace {

using ::testing::HasSubstr;

// FileSource with a file of its own, a resolver that the test answers for, and its events in short.
class Source : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/heddle-edge-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    auto probe = bind_tcp({IpAddr::v4(0x7f000001), 0});
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(probe->get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  void TearDown() override {
    source_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string path() const { return directory_ + "/edge.yaml"; }
  void write(const std::string& targets, const std::string& more = "") {
    std::ofstream(path()) << "resolve-every: 24h\nlisteners: {web: {bind: \"127.0.0.1:" << port_
                          << "\", default: {forward: app}}}\ntarget-groups: {app: {targets: ["
                          << targets << "]}}\n"
                          << more;
  }
  void answer(const std::string& name, std::optional<std::vector<IpAddr>> addresses) {
    const std::lock_guard lock(mutex_);
    names_[name] = std::move(addresses);
  }

  Result<> start() {
    FileSource::Options options;
    options.path = path();
    options.look_up = [this](const std::string& name) -> Result<std::vector<IpAddr>> {
      const std::lock_guard lock(mutex_);
      const auto found = names_.find(name);
      if (found == names_.end() || !found->second) return fail(Errc::unavailable, "no DNS today");
      return *found->second;
    };
    source_ = std::make_unique<FileSource>(
        io_.get_executor(), std::move(options), metrics_,
        [this](const control::ConfigEvent& event) {
          if (const auto* changed = std::get_if<control::GroupChanged>(&event)) {
            targets_.clear();
            for (const auto& target : changed->group->targets) targets_ += target.id + " ";
          }
        });
    TRY(auto edge, load_edge(path()));
    return source_->start(std::move(edge));
  }
  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io_.restart();
      io_.run_for(std::chrono::milliseconds(5));
    }
    ASSERT_TRUE(done());
  }
  std::string reload() {
    std::optional<std::string> out;
    const auto ask = [&]() -> Task<> {
      const auto result = co_await source_->reload();
      out = result ? "" : result.error().text();
    };
    TaskGroup tasks(io_.get_executor());
    tasks.spawn(ask());
    run_until([&] { return tasks.size() == 0; });
    return out.value_or("never");
  }

  std::string directory_;
  std::string port_;
  asio::io_context io_{1};
  telemetry::Metrics metrics_{"test"};
  std::mutex mutex_;
  std::map<std::string, std::optional<std::vector<IpAddr>>> names_;
  std::string targets_;  // of the group, as last published
  std::unique_ptr<FileSource> source_;
};

TEST_F(Source, NamesBecomeTargets) {
  answer("app.test", {{IpAddr::v4(0x0a000001), IpAddr::v4(0x0a000002)}});
  write("10.0.0.9:80, app.test:8080");
  const auto started = start();
  ASSERT_TRUE(started) << started.error().text();
  EXPECT_EQ(targets_, "10.0.0.9:80 ") << "it serves before the first answer";
  EXPECT_FALSE(source_->is_ready());
  run_until([&] { return source_->is_ready(); });
  EXPECT_EQ(targets_, "10.0.0.9:80 10.0.0.1:8080 10.0.0.2:8080 ");
}

TEST_F(Source, ANameThatFailsKeepsItsAddresses) {
  answer("app.test", {{IpAddr::v4(0x0a000001)}});
  write("app.test:8080");
  ASSERT_TRUE(start());
  run_until([&] { return source_->is_ready(); });
  answer("app.test", std::nullopt);
  write("app.test:8080, gone.test:1, 10.0.0.9:80");
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(targets_, "10.0.0.9:80 10.0.0.1:8080 ");
}

TEST_F(Source, NewNamesAreKnownBeforeTheirConfigurationIsInForce) {
  write("10.0.0.9:80");
  ASSERT_TRUE(start());
  answer("app.test", {{IpAddr::v4(0x0a000001)}});
  write("app.test:8080");
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(targets_, "10.0.0.1:8080 ");
}

TEST_F(Source, WhatIsRefusedChangesNothing) {
  write("10.0.0.9:80");
  ASSERT_TRUE(start());
  const std::string before = source_->describe();
  write("10.0.0.10:80", "listners: {}\n");
  EXPECT_THAT(reload(), HasSubstr("did you mean \"listeners\"?"));
  EXPECT_EQ(source_->describe(), before);
  // An address that is taken: the other listener is not bound either.
  auto taken = bind_tcp({IpAddr::v4(0x7f000002), static_cast<std::uint16_t>(std::stoi(port_))});
  ASSERT_TRUE(taken);
  std::ofstream(path()) << "listeners:\n  a: {bind: \"127.0.0.3:" << port_
                        << "\", default: {respond: {status: 200}}}\n  b: {bind: \"127.0.0.2:"
                        << port_ << "\", default: {respond: {status: 200}}}\n";
  EXPECT_THAT(reload(), HasSubstr("listen at 127.0.0.2:" + port_));
  EXPECT_EQ(source_->describe(), before);
  EXPECT_TRUE(bind_tcp({IpAddr::v4(0x7f000003), static_cast<std::uint16_t>(std::stoi(port_))}));
  write("10.0.0.11:80");
  EXPECT_EQ(reload(), "");
  EXPECT_EQ(targets_, "10.0.0.11:80 ");
}

TEST_F(Source, AFileThatIsGoneIsSaidSo) {
  write("10.0.0.9:80");
  ASSERT_TRUE(start());
  std::filesystem::remove(path());
  EXPECT_THAT(reload(), HasSubstr("edge.yaml"));
}

TEST(BindUnix, ReplacesWhatAnEndedProcessLeft) {
  char name[] = "/tmp/heddle-edge-test-XXXXXX";
  const std::string directory = ::mkdtemp(name);
  const std::string path = directory + "/admin.sock";
  auto first = bind_unix(path, Present::left);
  ASSERT_TRUE(first);
  EXPECT_EQ(bind_unix(path, Present::left).error().code(), Errc::in_use);
  EXPECT_TRUE(bind_unix(path, Present::replaced)) << "the next program is at its start";
  first->reset();
  EXPECT_TRUE(bind_unix(path, Present::left));
  std::ofstream(directory + "/file") << "x";
  EXPECT_EQ(bind_unix(directory + "/file", Present::replaced).error().code(), Errc::exists);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace heddle::config
