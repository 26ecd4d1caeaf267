#pragma once
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "dataplane/bpf/objects.h"
#include "dataplane/bpf/programs.h"
#include "dataplane/bpf/table.h"
#include "ebpf/abi/socket.h"

namespace heddle::bpf {

// What the socket hooks know of a network namespace: its membership, and its interception with the
// sk_lookup link, pinned as <links_dir>/<cookie in hexadecimal>.
// Invariant: `networks_of_` and `ports_of_` name at least every entry that we wrote; they say which
// keys a smaller set has to delete, and are refreshed by every observation.
class SandboxTables final {
 public:
  static Result<SandboxTables> open(const Objects& objects, std::string links_dir);

  // Gives the sk_lookup links of a previous process fresh programs; unpins those whose namespace is
  // gone.
  Result<> replace_programs();

  Result<> put_member(const Programs::Member& member);
  Result<> remove_member(std::uint64_t cookie);
  Result<std::vector<Programs::Member>> members();

  Result<> put_intercept(const Programs::Intercept& intercept, int netns_fd, int inbound_listener);
  Result<> remove_intercept(std::uint64_t cookie);
  Result<std::vector<Programs::Intercept>> intercepts();

  // Removes every sk_lookup link.
  Result<> detach_all();

 private:
  using Members = Table<heddle_member_key, heddle_member>;
  using Intercepts = Table<std::uint64_t, heddle_intercept>;
  using Inbound = Table<heddle_inbound_key, std::uint64_t>;
  using Sidecars = Table<std::uint64_t, std::uint64_t>;
  SandboxTables(const Objects& objects, std::string links_dir, Members members,
                Intercepts intercepts, Inbound inbound, Sidecars sidecars)
      : objects_(&objects),
        links_dir_(std::move(links_dir)),
        members_(std::move(members)),
        intercepts_(std::move(intercepts)),
        inbound_(std::move(inbound)),
        sidecars_(std::move(sidecars)) {}

  std::string link_path(std::uint64_t cookie) const;
  Result<> set_networks(std::uint64_t cookie, const std::set<std::uint32_t>& networks);
  Result<> set_inbound(std::uint64_t cookie, const std::set<std::uint16_t>& ports);
  Result<> refresh_inbound();
  Result<bool> inbound_works(std::uint64_t cookie) const;

  const Objects* objects_;
  std::string links_dir_;
  Members members_;
  Intercepts intercepts_;
  Inbound inbound_;
  Sidecars sidecars_;
  std::map<std::uint64_t, std::set<std::uint32_t>> networks_of_;
  std::map<std::uint64_t, std::set<std::uint16_t>> ports_of_;
};

}  // namespace heddle::bpf
