#include "tests/bench/netd/dns/peers.h"

#include "tests/bench/netd/dns/roles.h"
#include "tests/bench/proxy/child.h"

namespace heddle::bench {

Peer dnsmasq(const std::string& dir, std::uint16_t port, std::uint16_t upstream) {
  std::string hosts;
  for (int n = 0; n < kNames; ++n) {
    hosts += address_of(n) + " c" + std::to_string(n) + ".app.heddle.internal\n";
  }
  write_file(dir + "/dnsmasq.hosts", hosts);
  write_file(dir + "/dnsmasq.conf",
             "port=" + std::to_string(port) +
                 "\nlisten-address=127.0.0.1\nbind-interfaces\n"
                 "no-resolv\nno-hosts\nno-poll\nkeep-in-foreground\n"
                 "user=root\npid-file\nlog-facility=" +
                 dir + "/dnsmasq.messages\naddn-hosts=" + dir +
                 "/dnsmasq.hosts\nlocal=/heddle.internal/\nlocal-ttl=2\n"
                 "cache-size=10000\ndns-forward-max=10000\nserver=127.0.0.1#" +
                 std::to_string(upstream) + "\n");
  return {"dnsmasq", {"dnsmasq", "-C", dir + "/dnsmasq.conf"}};
}

Peer unbound(const std::string& dir, std::uint16_t port, std::uint16_t upstream) {
  std::string text =
      "server:\n  port: " + std::to_string(port) +
      "\n  interface: 127.0.0.1\n  access-control: 127.0.0.0/8 allow\n  do-daemonize: no\n"
      "  chroot: \"\"\n  username: \"\"\n  directory: \"" +
      dir +
      "\"\n  pidfile: \"\"\n  use-syslog: no\n  verbosity: 0\n  num-threads: 1\n"
      "  module-config: \"iterator\"\n  do-not-query-localhost: no\n"
      "  msg-cache-size: 16m\n  rrset-cache-size: 32m\n  outgoing-range: 4096\n"
      "  num-queries-per-thread: 2048\n  so-rcvbuf: 0\n  so-sndbuf: 0\n"
      "  local-zone: \"heddle.internal.\" static\n";
  for (int n = 0; n < kNames; ++n) {
    text += "  local-data: \"c" + std::to_string(n) + ".app.heddle.internal. 2 A " + address_of(n) +
            "\"\n";
  }
  text +=
      "remote-control:\n  control-enable: no\nforward-zone:\n  name: \".\"\n"
      "  forward-addr: 127.0.0.1@" +
      std::to_string(upstream) + "\n";
  write_file(dir + "/unbound.conf", text);
  return {"unbound", {"unbound", "-d", "-c", dir + "/unbound.conf"}};
}

}  // namespace heddle::bench
