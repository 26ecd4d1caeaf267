#pragma once
#include <ldns/ldns.h>
// ldns/common.h defines them, and the standard library's headers must not see that.
#undef bool
#undef false
#undef true

#include <memory>

#include "netd/dns/wire.h"

// What libldns makes, owned. Internal to this folder.
namespace heddle::dns {

struct Free {
  void operator()(ldns_rr* rr) const { ldns_rr_free(rr); }
  void operator()(ldns_rdf* rdf) const { ldns_rdf_deep_free(rdf); }
  void operator()(ldns_buffer* buffer) const { ldns_buffer_free(buffer); }
  // The names that a message has, as ldns_rr2buffer_wire_compress() remembers them.
  void operator()(ldns_rbtree_t* names) const {
    const auto free_one = [](ldns_rbnode_t* node, void*) {
      ldns_rdf_deep_free(static_cast<ldns_rdf*>(const_cast<void*>(node->key)));
      LDNS_FREE(node);
    };
    ldns_traverse_postorder(names, free_one, nullptr);
    ldns_rbtree_free(names);
  }
};
using Rr = std::unique_ptr<ldns_rr, Free>;
using Rdf = std::unique_ptr<ldns_rdf, Free>;
using Buffer = std::unique_ptr<ldns_buffer, Free>;
using Names = std::unique_ptr<ldns_rbtree_t, Free>;

// The name at `at`, uncompressed, and where it ends; null when it is none.
Rdf read_name(ByteView message, std::size_t at, std::size_t* end = nullptr);

}  // namespace heddle::dns
