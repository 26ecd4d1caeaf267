#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netd/mesh/config.h"
#include "netd/model/view.h"

namespace heddle::mesh {

// One port of one service: what a target group is made from.
struct GroupRef {
  model::Id network;
  std::string service;
  std::uint16_t port = 0;
  friend auto operator<=>(const GroupRef&, const GroupRef&) = default;
};

// The services of one View, indexed for proxies' questions. Pure and immutable; shared by all
// proxies' feeds. Only groups that somebody asks for are ever made.
// Threads: any.
class Catalog final {
 public:
  explicit Catalog(std::shared_ptr<const model::View> view);

  // The service that `destination` is a VIP of, on one of these networks.
  std::optional<GroupRef> resolve(const std::set<model::Id>& networks,
                                  const SocketAddr& destination) const;
  bool has(const GroupRef& ref) const;

  std::string name_of(const GroupRef& ref) const;     // web.app:8080
  std::string service_of(const GroupRef& ref) const;  // web.app

  // Targets are the service's endpoints which serve the port: ready, draining, or gone when their
  // node does not answer; endpoints that only start or have ended are left out.
  TargetGroup group(const GroupRef& ref) const;

 private:
  using ServiceKey = std::pair<model::Id, std::string>;  // network, name

  const model::Service* find(const GroupRef& ref) const;

  std::shared_ptr<const model::View> view_;
  std::map<ServiceKey, const model::Service*> services_;
  std::map<std::pair<model::Id, IpAddr>, const model::Service*> vips_;
  std::map<ServiceKey, std::vector<const model::Endpoint*>> backends_;  // by id
};

}  // namespace heddle::mesh
