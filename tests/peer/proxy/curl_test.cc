#include <signal.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <thread>

#include "tests/peer/proxy/fixture.h"

namespace heddle::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Real programs at both ends: curl, and nginx as the target.
class ProxyCurl : public ProxyTest {
 protected:
  void SetUp() override {
    ProxyTest::SetUp();
    for (const char* program : {"nginx", "curl"}) {
      if (std::system(("command -v " + std::string(program) + " >/dev/null").c_str()) != 0) {
        GTEST_SKIP() << program << " is not installed";
      }
    }
    listen_on_loopback(&port_).reset();
    const std::string dir = directory_;
    std::ofstream(dir + "/hello.txt") << "hello from nginx";
    std::ofstream(dir + "/nginx.conf")
        << "daemon off; worker_processes 1; pid " << dir << "/pid; error_log " << dir
        << "/err;\nevents {}\nhttp { access_log off; client_body_temp_path " << dir
        << "; proxy_temp_path " << dir << "; fastcgi_temp_path " << dir << "; uwsgi_temp_path "
        << dir << "; scgi_temp_path " << dir << ";\nserver { listen 127.0.0.1:" << port_
        << "; root " << dir << "; client_max_body_size 20m;\n"
        << "location = /echo { client_body_buffer_size 16m; echo_read_request_body; "
           "echo_request_body; }\n"
        << "location = /upload { echo_read_request_body; echo \"got $content_length "
           "$http_transfer_encoding\"; }\n"
        << "location = /small { client_max_body_size 1k; echo_read_request_body; echo ok; }\n"
        << "location = /proto { return 200 \"$server_protocol $http_x_forwarded_for\"; } } }\n";
    nginx_ = ::fork();
    if (nginx_ == 0) {
      const std::string config = dir + "/nginx.conf";
      const std::string module = "load_module modules/ngx_http_echo_module.so;";
      if (!std::freopen((dir + "/out").c_str(), "w", stderr)) ::_exit(126);
      ::execlp("nginx", "nginx", "-c", config.c_str(), "-g", module.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 500 && !connect_to(port_); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (!connect_to(port_))
      GTEST_SKIP() << "nginx's echo module (libnginx-mod-http-echo) is missing";
    start({{IpAddr::v4(0x7f000001), port_}});
  }
  void TearDown() override {
    if (nginx_ > 0) {
      ::kill(nginx_, SIGTERM);
      ::waitpid(nginx_, nullptr, 0);
    }
    ProxyTest::TearDown();
  }

  std::string curl(const std::string& arguments, const std::string& path) {
    const std::string command = "curl -sS --max-time 20 " + arguments +
                                " http://127.0.0.1:" + std::to_string(proxy_->port("web")) + path +
                                " 2>&1";
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    char bytes[4096];
    while (const std::size_t n = std::fread(bytes, 1, sizeof bytes, pipe)) out.append(bytes, n);
    ::pclose(pipe);
    return out;
  }

  std::uint16_t port_ = 0;
  pid_t nginx_ = -1;
};

TEST_F(ProxyCurl, GetsFilesRangesAndHeads) {
  EXPECT_EQ(curl("", "/hello.txt"), "hello from nginx");
  EXPECT_EQ(curl("--http1.0", "/hello.txt"), "hello from nginx");
  EXPECT_EQ(curl("-r 0-4", "/hello.txt"), "hello");
  EXPECT_THAT(curl("-I", "/hello.txt"), HasSubstr("Content-Length: 16"));
  EXPECT_THAT(curl("-o /dev/null -w '%{http_code}'", "/absent"), EndsWith("404"));
}

TEST_F(ProxyCurl, UploadsWholeChunkedAndWithExpect) {
  const std::string file = directory_ + "/upload";
  std::string content;
  for (int i = 0; content.size() < (3u << 20); ++i) content += std::to_string(i) + "\n";
  std::ofstream(file) << content;
  EXPECT_EQ(curl("--data-binary @" + file, "/echo"), content);
  EXPECT_EQ(curl("-H 'Expect: 100-continue' --data-binary @" + file, "/echo"), content);
  EXPECT_EQ(curl("-T - < " + file, "/upload"),
            "got " + std::to_string(content.size()) + " chunked\n");
}

TEST_F(ProxyCurl, AnUploadThatIsRefusedEarlyGetsItsAnswer) {
  const std::string file = directory_ + "/upload";
  std::ofstream(file) << std::string(2 << 20, 'x');
  EXPECT_THAT(curl("-o /dev/null -w '%{http_code}' --data-binary @" + file, "/small"),
              EndsWith("413"));
}

TEST_F(ProxyCurl, AnUpgradeToHttp2IsNotForwarded) {
  EXPECT_THAT(curl("--http2", "/proto"), StartsWith("HTTP/1.1 127.0.0.1"));
}

TEST_F(ProxyCurl, OneConnectionServesManyUrls) {
  const std::string url = " http://127.0.0.1:" + std::to_string(proxy_->port("web")) + "/hello.txt";
  EXPECT_EQ(
      curl("-o /dev/null -w '%{num_connects}\n'" + url + " -o /dev/null" + url + " -o /dev/null",
           "/hello.txt"),
      "1\n0\n0\n");
}

}  // namespace
}  // namespace heddle::testing
