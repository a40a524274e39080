#include "data/hdf5.h"

namespace drydock::data::hdf5 {
namespace {

std::mutex& library_mutex() {
    static std::mutex mutex;
    return mutex;
}

herr_t keep_first(unsigned, const H5E_error2_t* error, void* out) {
    auto& text = *static_cast<std::string*>(out);
    if (text.empty() && error->desc != nullptr) text = error->desc;
    return 0;
}

}  // namespace

Session::Session() : lock_(library_mutex()) {
    H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Session::~Session() { H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_); }

std::string last_error() {
    std::string text;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
    return text.empty() ? "no details" : text;
}

}  // namespace drydock::data::hdf5
