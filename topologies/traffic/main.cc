// heddle-traffic: loads that prove what a network does, and their counterparts.
#include <CLI/CLI.hpp>
#include <iostream>

#include "topologies/engine/format/reader.h"
#include "topologies/traffic/loads.h"
#include "topologies/traffic/probe.h"

namespace {

using namespace heddle;
using namespace heddle::traffic;

// An option that takes 250ms, 3s or 2m.
void add_time(CLI::App& command, const std::string& name, Milliseconds& slot,
              const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&slot, name](const std::string& text) {
            const auto parsed = format::parse_duration(text);
            if (!parsed) throw CLI::ValidationError(name, parsed.error().text());
            slot = *parsed;
          },
          help)
      ->type_name("TIME");
}

void add_limits(CLI::App& command, Limits& limits) {
  command.add_flag("--fail-on-loss", limits.fail_on_loss, "exit 1 if anything was lost or failed");
  command
      .add_option_function<std::string>(
          "--max-gap",
          [&limits](const std::string& text) {
            const auto parsed = format::parse_duration(text);
            if (!parsed) throw CLI::ValidationError("--max-gap", parsed.error().text());
            limits.max_gap = *parsed;
          },
          "exit 1 if nothing succeeded for longer")
      ->type_name("TIME");
}

struct Options {
  HttpLoad http;
  Httpd httpd;
  UdpFlow udp;
  UdpEcho echo;
  TcpStream tcp;
  TcpSink sink;
  DnsLoad dns;
  bool keep_alive = false;
};

void add_http(CLI::App& app, Options& options) {
  auto& load = *app.add_subcommand("http-load", "requests, counted by the body that answers");
  load.add_option("--url", options.http.url, "http://HOST[:PORT]/PATH")->required();
  load.add_option("--host", options.http.host_header, "Host header; the URL's by default");
  load.add_option("--connections", options.http.connections, "at the same time (1)")
      ->check(CLI::Range(1, 10000));
  load.add_option("--requests", options.http.requests,
                  "how many; default: by --duration or a signal");
  add_time(load, "--duration", options.http.duration, "how long");
  load.add_option("--rate", options.http.rate, "requests a second, all together")
      ->check(CLI::Range(0.0, 1e6));
  add_time(load, "--timeout", options.http.timeout, "of one request (2s)");
  load.add_option("--dead", options.http.dead, "backend whose failures are expected");
  auto* per = load.add_flag("--per-connection", options.http.per_connection,
                            "a connection for each request");
  load.add_flag("--keep-alive", options.keep_alive, "connections are used again (default)")
      ->excludes(per);
  add_limits(load, options.http.limits);
  auto& httpd = *app.add_subcommand("httpd", "answers every request with one body");
  httpd.add_option("--port", options.httpd.port, "TCP port (8080)");
  httpd.add_option("--body", options.httpd.body, "what to answer")->required();
}

void add_flows(CLI::App& app, Options& options) {
  auto& flow = *app.add_subcommand("udp-flow", "numbered packets to a udp-echo, counted both ways");
  flow.add_option("--to", options.udp.to, "HOST:PORT")->required();
  flow.add_option("--rate", options.udp.rate, "packets a second (1000)")
      ->check(CLI::Range(0.1, 1e6));
  add_time(flow, "--duration", options.udp.duration, "how long; default: until a signal");
  add_time(flow, "--drain", options.udp.drain, "how long the last answers are waited for (1s)");
  add_limits(flow, options.udp.limits);
  auto& echo = *app.add_subcommand("udp-echo", "answers udp-flow");
  echo.add_option("--port", options.echo.port, "UDP port (9000)");
  auto& stream =
      *app.add_subcommand("tcp-stream", "one long connection to a tcp-sink, every byte checked");
  stream.add_option("--to", options.tcp.to, "HOST:PORT")->required();
  stream
      .add_option("--bytes-per-second", options.tcp.bytes_per_second, "0: as fast as it goes (1e7)")
      ->check(CLI::Range(0.0, 1e12));
  add_time(stream, "--duration", options.tcp.duration, "how long; default: until a signal");
  add_limits(stream, options.tcp.limits);
  auto& sink = *app.add_subcommand("tcp-sink", "receives tcp-stream");
  sink.add_option("--port", options.sink.port, "TCP port (9001)");
  auto& dns = *app.add_subcommand("dns-load", "queries for A records");
  dns.add_option("--server", options.dns.server, "address (127.0.0.11)");
  dns.add_option("--name", options.dns.name, "what to ask for")->required();
  dns.add_option("--rate", options.dns.rate, "queries a second (20)")->check(CLI::Range(0.1, 1e5));
  add_time(dns, "--duration", options.dns.duration, "how long; default: until a signal");
  add_time(dns, "--late", options.dns.late, "answers past this are late (100ms)");
  add_time(dns, "--drain", options.dns.drain, "how long the last answers are waited for (5s)");
  add_limits(dns, options.dns.limits);
}

struct ProbeOptions {
  Probe common;
  PingProbe ping;
  HttpProbe http;
  TcpProbe tcp;
  DnsProbe dns;
  ThroughputProbe throughput;
};

void add_probes(CLI::App& app, ProbeOptions& options) {
  auto& group = *app.add_subcommand("probe", "looks at one thing again and again, a line for each");
  group.require_subcommand(1);
  const auto add = [&](const char* name, const char* help) -> CLI::App& {
    auto& probe = *group.add_subcommand(name, help);
    add_time(probe, "--every", options.common.every, "from begin to begin (200ms)");
    add_time(probe, "--timeout", options.common.timeout, "of one look (1s)");
    probe.add_option("--looks", options.common.looks, "how many; default: until a signal");
    return probe;
  };
  auto& ping = add("ping", "ICMP echoes");
  ping.add_option("--to", options.ping.to, "a name or address")->required();
  ping.add_option("--count", options.ping.count, "echoes of one look (1)")
      ->check(CLI::Range(1, 100));
  auto& http = add("http", "one GET over a connection of its own");
  http.add_option("--url", options.http.url, "http://HOST[:PORT]/PATH")->required();
  http.add_option("--status", options.http.status, "that it has to have (200)");
  http.add_option("--contains", options.http.contains, "what the body has to contain");
  auto& tcp = add("tcp", "a connection, made and ended");
  tcp.add_option("--to", options.tcp.to, "HOST:PORT")->required();
  auto& dns = add("dns", "one query");
  dns.add_option("--server", options.dns.server, "address; default: as /etc/resolv.conf has it");
  dns.add_option("--name", options.dns.name, "what to ask for")->required();
  dns.add_option("--type", options.dns.type, "A (default) or AAAA")
      ->check(CLI::IsMember({"A", "AAAA"}));
  dns.add_option("--answer", options.dns.answers, "exactly these; repeatable");
  dns.add_flag("--none", options.dns.none, "there has to be no answer");
  auto& flow = add("throughput", "one TCP stream to a tcp-sink");
  flow.add_option("--to", options.throughput.to, "HOST:PORT")->required();
  flow.add_option("--at-least", options.throughput.at_least, "bits a second");
  flow.add_option("--at-most", options.throughput.at_most, "bits a second");
  add_time(flow, "--time", options.throughput.time, "of one look (2s)");
}

Result<int> run(const std::string& kind, ProbeOptions options) {
  if (kind == "ping") options.common.what = options.ping;
  if (kind == "http") options.common.what = options.http;
  if (kind == "tcp") options.common.what = options.tcp;
  if (kind == "dns") options.common.what = options.dns;
  if (kind == "throughput") options.common.what = options.throughput;
  return run_probe(options.common);
}

Result<int> run(const std::string& command, const Options& options) {
  if (command == "http-load") return run_http_load(options.http);
  if (command == "httpd") return run_httpd(options.httpd);
  if (command == "udp-flow") return run_udp_flow(options.udp);
  if (command == "udp-echo") return run_udp_echo(options.echo);
  if (command == "tcp-stream") return run_tcp_stream(options.tcp);
  if (command == "tcp-sink") return run_tcp_sink(options.sink);
  return run_dns_load(options.dns);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Loads for labs and tests: what was answered, lost, late; as one line of JSON"};
  app.require_subcommand(1);
  Options options;
  add_http(app, options);
  add_flows(app, options);
  ProbeOptions probes;
  add_probes(app, probes);
  CLI11_PARSE(app, argc, argv);
  const CLI::App& chosen = *app.get_subcommands().front();
  const auto status = chosen.get_name() == "probe"
                          ? run(chosen.get_subcommands().front()->get_name(), probes)
                          : run(chosen.get_name(), options);
  if (status) return *status;
  std::cerr << "heddle-traffic: " << status.error().text() << "\n";
  return 2;
}
