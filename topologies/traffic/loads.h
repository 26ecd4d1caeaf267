#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "topologies/traffic/loop.h"

// The loads and their counterparts. Each runs until its end or a signal, prints one line of JSON on
// standard output, and gives the exit status: 0, or 1 when an expectation of its options is broken.
// Errors: what kept it from starting.
namespace heddle::traffic {

// What is expected of a load; absent: nothing.
struct Limits {
  bool fail_on_loss = false;
  std::optional<Milliseconds> max_gap;
};

struct HttpLoad {
  std::string url;          // http://HOST[:PORT]/PATH
  std::string host_header;  // empty: the URL's
  int connections = 1;
  std::uint64_t requests = 0;   // 0: by duration
  Milliseconds duration{0};     // 0: by requests, or until a signal
  double rate = 0;              // requests a second over all connections; 0: as fast as it goes
  Milliseconds timeout{2000};   // of one request, its connect included
  bool per_connection = false;  // a new connection for each request
  std::string dead;             // the backend whose death is expected: see `failed_on_living`
  Limits limits;
};
// Counts answers by the first line of their body. `failed_on_living`: failures on connections whose
// last answer came from another backend than `dead`.
Result<int> run_http_load(const HttpLoad& load);

struct Httpd {
  std::uint16_t port = 8080;
  std::string body;
};
Result<int> run_httpd(const Httpd& httpd);

struct UdpFlow {
  std::string to;  // HOST:PORT of a udp-echo
  double rate = 1000;
  Milliseconds duration{0};  // 0: until a signal
  Milliseconds drain{1000};  // how long the last answers are waited for
  Limits limits;
};
Result<int> run_udp_flow(const UdpFlow& flow);
struct UdpEcho {
  std::uint16_t port = 9000;
};
Result<int> run_udp_echo(const UdpEcho& echo);

struct TcpStream {
  std::string to;                  // HOST:PORT of a tcp-sink
  double bytes_per_second = 10e6;  // 0: as fast as it goes
  Milliseconds duration{0};        // 0: until a signal
  Limits limits;
};
Result<int> run_tcp_stream(const TcpStream& stream);
struct TcpSink {
  std::uint16_t port = 9001;
};
Result<int> run_tcp_sink(const TcpSink& sink);

struct DnsLoad {
  std::string server = "127.0.0.11";
  std::string name;
  double rate = 20;
  Milliseconds duration{0};  // 0: until a signal
  Milliseconds late{100};    // answers past this are counted as late
  Milliseconds drain{5000};  // resolver libraries' own patience (resolv.conf(5), timeout)
  Limits limits;
};
Result<int> run_dns_load(const DnsLoad& load);

}  // namespace heddle::traffic
