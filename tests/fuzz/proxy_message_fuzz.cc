// link: heddle_netd_mesh heddle_netd_api_proxy_proto
// What a process on the proxies' configuration socket may send: length byte, message, and so on.
// The messages go to a feed as the service does it; whatever they are, what it says is bounded, and
// an answer's group was sent before it.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <variant>

#include "common/base/check.h"
#include "netd/api/proxy.pb.h"
#include "netd/mesh/feed.h"
#include "netd/mesh/translate.h"
#include "tests/fuzz/support/seeded.h"
#include "tests/fuzz/support/target.h"

namespace {

using namespace heddle;

std::shared_ptr<const model::View> make_view() {
  auto view = std::make_shared<model::View>();
  view->networks["n"].name = "app";
  model::Service service;
  service.network = "n";
  service.name = "web";
  service.vip = IpAddr::v4(0x0a200002);
  service.ports = {{"", 8080, model::Protocol::tcp, {}}};
  view->services["s"] = service;
  return view;
}

}  // namespace

HEDDLE_FUZZ_TARGET(proxy_message, data, size) {
  static const google::protobuf::LogSilencer silent;
  static const auto catalog = std::make_shared<const mesh::Catalog>(make_view());
  auto plan = std::make_shared<mesh::ProxyPlan>();
  plan->networks = {"n"};
  mesh::Feed feed;
  feed.update(catalog, plan);
  std::set<std::string> sent;
  std::size_t questions = 0;
  while (size > 0) {
    const std::size_t length = std::min<std::size_t>(data[0], size - 1);
    proxy::v1::ProxyMessage bytes;
    const bool parsed = bytes.ParseFromArray(data + 1, static_cast<int>(length));
    data += length + 1;
    size -= length + 1;
    if (!parsed) continue;
    const auto message = mesh::from_message(bytes);
    if (!message) {
      CHECK(message.error().code() == Errc::invalid);
      continue;
    }
    if (const auto* resolve = std::get_if<mesh::Resolve>(&*message)) {
      CHECK(feed.resolve(resolve->destination).has_value());
      ++questions;
    } else if (const auto* release = std::get_if<mesh::Release>(&*message)) {
      feed.release(release->target_group);
      sent.erase(release->target_group);
    }
    std::size_t said = 0;
    while (const auto next = feed.next()) {
      CHECK(++said <= 2 * questions + 1);
      proxy::v1::ConfigMessage out;
      mesh::to_message(*next, out);
      if (const auto* group = std::get_if<mesh::TargetGroup>(&*next)) sent.insert(group->name);
      HEDDLE_DEFECT("an answer comes before its group", sent.clear());
      if (const auto* resolved = std::get_if<mesh::Resolved>(&*next))
        CHECK(resolved->target_group.empty() || sent.contains(resolved->target_group));
    }
  }
  return 0;
}
