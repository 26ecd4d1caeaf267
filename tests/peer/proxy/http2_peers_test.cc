// HTTP/2 and gRPC between real programs: curl, h2load, nginx, and gRPC's own client and server.
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "netd/api/proxy.grpc.pb.h"
#include "tests/peer/proxy/fixture.h"

namespace heddle::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kLarge = 3'000'000;

class ProxyHttp2Peers : public ProxyTest {
 protected:
  void SetUp() override {
    ProxyTest::SetUp();
    for (const char* program : {"nginx", "curl", "h2load"}) {
      if (std::system(("command -v " + std::string(program) + " >/dev/null").c_str()) != 0) {
        GTEST_SKIP() << program << " is not installed";
      }
    }
    std::ofstream(directory_ + "/large") << std::string(kLarge, 'x');
    std::ofstream(directory_ + "/upload") << std::string(kLarge, 'y');
  }
  void TearDown() override {
    if (nginx_ > 0) {
      ::kill(nginx_, SIGTERM);
      ::waitpid(nginx_, nullptr, 0);
    }
    ProxyTest::TearDown();
  }

  // `protocol`: what nginx speaks, and the group's.
  void start_nginx(pb::Protocol protocol) {
    std::uint16_t port = 0;
    listen_on_loopback(&port).reset();
    const std::string dir = directory_;
    std::ofstream(dir + "/nginx.conf")
        << "daemon off; worker_processes 1; pid " << dir << "/pid; error_log " << dir
        << "/err;\nevents {}\nhttp { access_log off; client_body_temp_path " << dir
        << "; proxy_temp_path " << dir << "; fastcgi_temp_path " << dir << "; uwsgi_temp_path "
        << dir << "; scgi_temp_path " << dir << ";\nserver { listen 127.0.0.1:" << port
        << (protocol == pb::PROTOCOL_HTTP2 ? " http2" : "") << "; root " << dir
        << "; client_max_body_size 20m;\nlocation = /small { return 200 \"$server_protocol\"; } } "
           "}\n";
    nginx_ = ::fork();
    if (nginx_ == 0) {
      const std::string config = dir + "/nginx.conf";
      if (!std::freopen((dir + "/out").c_str(), "w", stderr)) ::_exit(126);
      ::execlp("nginx", "nginx", "-c", config.c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 500 && !connect_to(port); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    start(group_of("web", protocol, {{IpAddr::v4(0x7f000001), port}}));
  }

  std::string run(const std::string& command) {
    const std::string file = directory_ + "/stdout";
    const int status = std::system((command + " >" + file + " 2>&1").c_str());
    std::ifstream in(file);
    std::stringstream text;
    text << in.rdbuf();
    if (status != 0) text << "\n[exit " << status << "]";
    return text.str();
  }
  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(proxy_->port("web")) + path;
  }
  // Version that the client spoke, status, bytes.
  std::string curl(const std::string& options, const std::string& path) {
    return run("curl -s -S -m 60 -o /dev/null -w '%{http_version} %{http_code} %{size_download}' " +
               options + " " + url(path));
  }
  void try_all() {
    const std::string large = " 200 " + std::to_string(kLarge);
    EXPECT_EQ(curl("--http2-prior-knowledge", "/large"), "2" + large);
    EXPECT_EQ(curl("--http1.1", "/large"), "1.1" + large);
    EXPECT_EQ(curl("--http2-prior-knowledge -I", "/large"), "2 200 0");
    EXPECT_EQ(curl("--http2-prior-knowledge", "/none").substr(0, 5), "2 404");
    const std::string load = run("h2load -n 2000 -c 4 -m 16 " + url("/small"));
    EXPECT_THAT(load, HasSubstr("2000 succeeded, 0 failed, 0 errored, 0 timeout"));
    EXPECT_THAT(load, HasSubstr("status codes: 2000 2xx"));
  }

  pid_t nginx_ = -1;
};

TEST_F(ProxyHttp2Peers, CurlAndH2loadToNginxOverHttp1) {
  start_nginx(pb::PROTOCOL_HTTP1);
  if (!proxy_) return;
  try_all();
  EXPECT_THAT(run("curl -s --http2-prior-knowledge " + url("/small")), "HTTP/1.1");
}

TEST_F(ProxyHttp2Peers, CurlAndH2loadToNginxOverHttp2) {
  start_nginx(pb::PROTOCOL_HTTP2);
  if (!proxy_) return;
  try_all();
  EXPECT_THAT(run("curl -s --http1.1 " + url("/small")), "HTTP/2.0");
}

TEST_F(ProxyHttp2Peers, UploadsAreWhole) {
  std::atomic<std::size_t> received = 0;
  Backend backend([&](int fd) {
    std::string rest;
    const std::string head = read_head(fd, rest);
    const bool chunked = head.find("ransfer-Encoding: chunked") != std::string::npos;
    const auto done = [&] { return chunked ? rest.ends_with("0\r\n\r\n") : rest.size() >= kLarge; };
    char room[65536];
    while (!done()) {
      const ssize_t n = ::recv(fd, room, sizeof room, 0);
      if (n <= 0) return;
      rest.append(room, static_cast<std::size_t>(n));
    }
    received = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), 'y'));
    send_all(fd, "HTTP/1.1 204 No Content\r\n\r\n");
  });
  start({backend.address()});
  const std::string file = directory_ + "/upload";
  EXPECT_EQ(curl("--http2-prior-knowledge -T " + file, "/"), "2 204 0");
  EXPECT_EQ(received, kLarge);
  received = 0;
  // Without a length.
  EXPECT_EQ(curl("--http2-prior-knowledge -X PUT -T - <" + file, "/"), "2 204 0");
  EXPECT_EQ(received, kLarge);
}

// Any message comes back; one about "fail" ends the call with an error of its own.
class Echo final : public pb::ProxyConfig::Service {
 public:
  ~Echo() override { server_->Shutdown(); }
  Echo() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  SocketAddr address() const { return {IpAddr::v4(0x7f000001), static_cast<std::uint16_t>(port_)}; }
  std::atomic<int> cancelled = 0;

 private:
  grpc::Status Subscribe(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<pb::ConfigMessage, pb::ProxyMessage>* stream) override {
    pb::ProxyMessage in;
    while (stream->Read(&in)) {
      if (in.release().target_group() == "fail") {
        context->AddTrailingMetadata("why", "asked");
        return {grpc::StatusCode::FAILED_PRECONDITION, "as you wish"};
      }
      pb::ConfigMessage out;
      out.mutable_resolved()->set_target_group(in.release().target_group());
      if (!stream->Write(out)) break;
    }
    if (context->IsCancelled()) ++cancelled;
    return grpc::Status::OK;
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class ProxyGrpc : public ProxyTest {
 protected:
  using Stream = std::unique_ptr<grpc::ClientReaderWriter<pb::ProxyMessage, pb::ConfigMessage>>;

  std::unique_ptr<pb::ProxyConfig::Stub> stub() {
    return pb::ProxyConfig::NewStub(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(proxy_->port("web")), grpc::InsecureChannelCredentials()));
  }
  static std::string ask(Stream& stream, const std::string& text) {
    pb::ProxyMessage message;
    message.mutable_release()->set_target_group(text);
    pb::ConfigMessage answer;
    if (!stream->Write(message) || !stream->Read(&answer)) return "";
    return answer.resolved().target_group();
  }
};

TEST_F(ProxyGrpc, StreamsBothWaysWithStatusAndTrailers) {
  Echo echo;
  start(group_of("web", pb::PROTOCOL_HTTP2, {echo.address()}));
  const auto client = stub();
  grpc::ClientContext context;
  Stream stream = client->Subscribe(&context);
  EXPECT_EQ(ask(stream, "one"), "one");
  EXPECT_EQ(ask(stream, std::string(500'000, 'x')).size(), 500'000u);
  EXPECT_EQ(ask(stream, "two"), "two");
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  grpc::ClientContext failing;
  stream = client->Subscribe(&failing);
  EXPECT_EQ(ask(stream, "fail"), "");
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "as you wish");
  EXPECT_EQ(failing.GetServerTrailingMetadata().count("why"), 1u);
}

TEST_F(ProxyGrpc, ACancelReachesTheServer) {
  Echo echo;
  start(group_of("web", pb::PROTOCOL_HTTP2, {echo.address()}));
  const auto client = stub();
  grpc::ClientContext context;
  Stream stream = client->Subscribe(&context);
  EXPECT_EQ(ask(stream, "one"), "one");
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  for (int i = 0; i < 500 && echo.cancelled == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(echo.cancelled, 1);
}

TEST_F(ProxyGrpc, FailuresOfTheProxyHaveAStatusOfGrpc) {
  std::uint16_t nobody = 0;
  listen_on_loopback(&nobody).reset();
  start(group_of("web", pb::PROTOCOL_HTTP2, {{IpAddr::v4(0x7f000001), nobody}}));
  const auto client = stub();
  grpc::ClientContext context;
  Stream stream = client->Subscribe(&context);
  EXPECT_EQ(ask(stream, "one"), "");
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "no target could be connected to");
}

TEST_F(ProxyGrpc, ADeadlineEndsACallThatNobodyAnswers) {
  Backend silent([](int fd) {
    char room[4096];
    while (::recv(fd, room, sizeof room, 0) > 0) {
    }
  });
  start(group_of("web", pb::PROTOCOL_HTTP2, {silent.address()}));
  const auto client = stub();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  Stream stream = client->Subscribe(&context);
  EXPECT_EQ(ask(stream, "one"), "");
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace heddle::testing
