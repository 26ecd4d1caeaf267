#pragma once
#include <vector>

#include "dataplane/bpf/backend_rows.h"
#include "dataplane/bpf/objects.h"
#include "dataplane/bpf/programs.h"
#include "dataplane/bpf/table.h"
#include "ebpf/abi/socket.h"

namespace heddle::bpf {

// Services and their backend lists. A list is written whole under an id never used before, then the
// service names it, then the old list is deleted: a reader finds the one or the other.
class ServiceTables final {
 public:
  // Deletes lists that no service names: a process that died in between left them.
  static Result<ServiceTables> open(const Objects& objects);

  Result<> put_service(const dataplane::ServiceEntry& service);
  Result<> remove_service(const dataplane::HostState::ServiceKey& key);
  Result<std::vector<dataplane::ServiceEntry>> services() const;

 private:
  using Services = Table<heddle_service_key, heddle_service>;
  using Backends = Table<heddle_backend_key, heddle_backend>;
  ServiceTables(Services services, Backends backends)
      : services_(std::move(services)), backends_(std::move(backends)) {}

  Result<bool> has_rows(const heddle_service& service, const BackendRows& wanted) const;
  Result<> write_list(std::uint32_t list, const BackendRows& rows);
  Result<> delete_list(std::uint32_t list, std::size_t rows);
  Result<> collect_garbage();

  Services services_;
  Backends backends_;
  std::uint32_t last_list_ = 0;
};

}  // namespace heddle::bpf
