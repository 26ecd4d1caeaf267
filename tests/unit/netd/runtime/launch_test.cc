#include "netd/runtime/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "netd/runtime/cgroup.h"
#include "netd/runtime/sandbox.h"

namespace heddle::runtime {
namespace {

using testing::HasSubstr;

class LaunchTest : public testing::Test {
 protected:
  LaunchTest() {
    char path[] = "/tmp/heddle-launch-XXXXXX";
    dir_ = ::mkdtemp(path);
  }
  ~LaunchTest() override { std::filesystem::remove_all(dir_); }
  std::string file(const std::string& name, mode_t mode, const std::string& text = "") {
    std::ofstream(dir_ + "/" + name) << text;
    ::chmod((dir_ + "/" + name).c_str(), mode);
    return dir_ + "/" + name;
  }
  std::string dir_;
};

TEST_F(LaunchTest, ProgramIsTheFirstExecutableInPath) {
  file("tool", 0755);
  std::filesystem::create_directory(dir_ + "/early");
  file("early/tool", 0644);
  const auto found = find_program("tool", dir_ + "/none:" + dir_ + "/early:" + dir_, "/");
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(*found, dir_ + "/tool");
}

TEST_F(LaunchTest, MissingAndForbiddenProgramsAreToldApart) {
  auto found = find_program("absent-tool", dir_, "/");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Errc::not_found);
  EXPECT_THAT(found.error().text(), HasSubstr("absent-tool"));
  file("plain", 0644);
  if (::geteuid() != 0 || ::access((dir_ + "/plain").c_str(), X_OK) != 0) {
    found = find_program("plain", dir_, "/");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), Errc::denied);
  }
  found = find_program(dir_, "", "/");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), Errc::denied) << "a directory";
}

TEST_F(LaunchTest, RelativeCommandStartsAtTheSpecsDirectory) {
  file("run.sh", 0755);
  EXPECT_EQ(find_program("./run.sh", "/bin", dir_).value(), dir_ + "/./run.sh");
}

TEST_F(LaunchTest, FailuresBeforeTheForkNameWhatIsMissing) {
  Processes::Spec spec;
  EXPECT_EQ(launch(spec).error().code(), Errc::invalid) << "no command";
  spec.command = {"true"};
  spec.directory = dir_ + "/absent";
  auto failed = launch(spec);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::not_found);
  EXPECT_THAT(failed.error().text(), HasSubstr(spec.directory));
  spec.directory = "relative";
  EXPECT_EQ(launch(spec).error().code(), Errc::invalid);
  spec.directory = "/";
  spec.sandbox = dir_ + "/no-namespace";
  failed = launch(spec);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::not_found);
  EXPECT_THAT(failed.error().text(), HasSubstr(spec.sandbox));
  spec.sandbox = "";
  spec.descriptors = {{5000, 0}};
  EXPECT_EQ(launch(spec).error().code(), Errc::invalid);
  spec.descriptors.clear();
  spec.environment = {{"A=B", "c"}};
  EXPECT_EQ(launch(spec).error().code(), Errc::invalid);
  spec.environment.clear();
  spec.cgroup = dir_ + "/not-a-cgroup";
  failed = launch(spec);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::unsupported);
  EXPECT_FALSE(std::filesystem::exists(spec.cgroup)) << "what was made for nothing is removed";
}

TEST_F(LaunchTest, FailedExecIsToldWithItsReason) {
  Processes::Spec spec;
  spec.command = {file("odd", 0755, "#!/no/such/interpreter\n")};
  auto failed = launch(spec);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::not_found);
  EXPECT_THAT(failed.error().text(), HasSubstr("interpreter"));
  spec.command = {file("junk", 0755, "no program at all")};
  failed = launch(spec);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().text(), HasSubstr("Exec format error"));
}

TEST(Identify, GivesTheSameProcessTheSameStart) {
  const auto self = identify(::getpid());
  ASSERT_TRUE(self);
  EXPECT_EQ(*self, identify(::getpid()).value());
  EXPECT_FALSE(self->start.empty());
  for (const std::int64_t pid : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40})
    EXPECT_EQ(identify(pid).error().code(), Errc::not_found) << pid;
}

TEST(Identify, ZombieHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_FALSE(identify(child));
  EXPECT_TRUE(identify_child(child));
  ::waitpid(child, nullptr, 0);
}

TEST(Sandbox, OtherFormsAreRefusedWithTheAllowedOnes) {
  for (const char* bad : {"", "netns", "netns:", "netns:relative", "docker:web", "pid:", "pid:0",
                          "pid:-4", "pid:12x", "pid:99999999999999999999"}) {
    const auto found = resolve_reference(bad);
    ASSERT_FALSE(found) << bad;
    EXPECT_EQ(found.error().code(), Errc::invalid) << bad << ": " << found.error().text();
  }
}

TEST(Sandbox, OwnNamespaceIsRefusedAsHostNetworking) {
  for (const std::string& own :
       {std::string("pid:") + std::to_string(::getpid()), std::string("netns:/proc/self/ns/net")}) {
    const auto found = resolve_reference(own);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code(), Errc::invalid);
    EXPECT_THAT(found.error().text(), HasSubstr("host networking"));
  }
}

TEST(Sandbox, WhatIsNoNetworkNamespaceIsNamed) {
  EXPECT_EQ(resolve_reference("netns:/run/heddle-absent").error().code(), Errc::not_found);
  EXPECT_EQ(resolve_reference("netns:/etc/passwd").error().code(), Errc::invalid);
  EXPECT_EQ(resolve_reference("netns:/proc/self/ns/mnt").error().code(), Errc::invalid);
  EXPECT_EQ(resolve_reference("pid:4194303").error().code(), Errc::not_found);
}

TEST(Sandbox, OwnerIsAliveOnlyAsTheSameProcess) {
  const auto self = identify(::getpid());
  const std::string pid = std::to_string(::getpid());
  EXPECT_TRUE(owner_alive(pid + ":" + self->start));
  EXPECT_FALSE(owner_alive(pid + ":1"));
  EXPECT_FALSE(owner_alive("junk"));
  EXPECT_TRUE(owner_alive(""));
}

}  // namespace
}  // namespace heddle::runtime
