#include "ctl/cmd/attachment.h"

#include <charconv>

#include "ctl/cmd/publish.h"
#include "ctl/cmd/rate.h"

namespace heddle::cmd {
namespace {

constexpr std::string_view kSysctlExample = "net.ipv4.conf.IFNAME.rp_filter=2";

Result<int> parse_priority(const std::string& text) {
  if (text.empty()) return 0;
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return fail(Errc::invalid,
              "--gw-priority '" + text + "' must be a number from -2147483648 to 2147483647");
}

Result<> check_address(std::string_view flag, const std::string& text) {
  if (text.empty()) return {};
  TRY_DO(IpAddr::parse(text).during(flag));
  return {};
}

Result<std::string> parse_mac(const std::string& text) {
  if (text.empty()) return text;
  TRY(const Mac mac, Mac::parse(text).during("--mac"));
  if (!mac.is_multicast() && mac != Mac{}) return text;
  return fail(Errc::invalid, "--mac '" + text +
                                 "' must be the address of one interface: an even "
                                 "first byte, such as 02:00:00:00:00:01");
}

Result<std::map<std::string, std::string>> parse_sysctls(const std::vector<std::string>& texts) {
  TRY(auto sysctls, parse_pairs("--sysctl", texts));
  for (const auto& [name, value] : sysctls) {
    if (name.starts_with("net.") && name.find(".IFNAME.") != std::string::npos && !value.empty()) {
      continue;
    }
    return fail(Errc::invalid, "--sysctl '" + name + "=" + value +
                                   "' must be of the interface, with IFNAME for its name: " +
                                   std::string(kSysctlExample));
  }
  return sysctls;
}

}  // namespace

std::string given_attachment_flag(const Arguments& arguments) {
  for (const auto& flag : kAttachmentFlags) {
    const std::string name = first_name(flag.names);
    if (arguments.has(name)) return name;
  }
  return "";
}

Result<client::Attachment> parse_attachment(const Arguments& arguments) {
  client::Attachment attachment;
  attachment.address = arguments.text("--ip");
  attachment.address6 = arguments.text("--ip6");
  attachment.link_local = arguments.list("--link-local-ip");
  TRY_DO(check_address("--ip", attachment.address));
  TRY_DO(check_address("--ip6", attachment.address6));
  for (const auto& text : attachment.link_local) TRY_DO(check_address("--link-local-ip", text));
  TRY(attachment.mac, parse_mac(arguments.text("--mac")));
  attachment.interface = arguments.text("--ifname");
  attachment.aliases = arguments.list("--alias");
  attachment.service = arguments.text("--service");
  TRY(attachment.ports, parse_ports(arguments));
  TRY(attachment.published, parse_publish("--publish", arguments.list("--publish")));
  TRY(attachment.gateway_priority, parse_priority(arguments.text("--gw-priority")));
  TRY(attachment.sysctls, parse_sysctls(arguments.list("--sysctl")));
  TRY(attachment.options, parse_pairs("--driver-opt", arguments.list("--driver-opt")));
  TRY(attachment.rate_in, parse_rate("--rate-in", arguments.text("--rate-in")));
  TRY(attachment.rate_out, parse_rate("--rate-out", arguments.text("--rate-out")));
  return attachment;
}

}  // namespace heddle::cmd
