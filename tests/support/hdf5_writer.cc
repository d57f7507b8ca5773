#include "support/hdf5_writer.h"

#include <hdf5.h>

#include <algorithm>

#include "aim/base/error.h"

namespace aim::testing {
namespace {

// As h5py has True and False.
hid_t FlagType() {
  const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
  signed char value = 0;
  H5Tenum_insert(type, "FALSE", &value);
  value = 1;
  H5Tenum_insert(type, "TRUE", &value);
  return type;
}

hid_t TypeOf(Hdf5Kind kind) {
  if (kind == Hdf5Kind::kInt64) return H5Tcopy(H5T_STD_I64LE);
  if (kind == Hdf5Kind::kFlag) return FlagType();
  if (kind == Hdf5Kind::kFloat64) return H5Tcopy(H5T_IEEE_F64LE);
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, 8);
  return type;
}

void WriteAll(hid_t dataset, const Hdf5Array& array) {
  if (array.values.empty()) return;
  if (array.kind == Hdf5Kind::kFloat64 || array.kind == Hdf5Kind::kInt64) {
    AIM_CHECK(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                       array.values.data()) >= 0);
  } else if (array.kind == Hdf5Kind::kFlag) {
    const std::vector<signed char> flags(array.values.begin(), array.values.end());
    const hid_t type = FlagType();
    AIM_CHECK(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, flags.data()) >= 0);
    H5Tclose(type);
  }
}

void WriteArray(hid_t file, const Hdf5Array& array) {
  size_t width = 1;
  for (const size_t size : array.row) width *= size;
  std::vector<hsize_t> sizes = {array.values.size() / width};
  sizes.insert(sizes.end(), array.row.begin(), array.row.end());
  std::vector<hsize_t> most = sizes, chunk = sizes;
  most[0] = H5S_UNLIMITED;
  chunk[0] = 4;
  const auto rank = static_cast<int>(sizes.size());
  const hid_t space = H5Screate_simple(rank, sizes.data(), most.data());
  const hid_t made = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(made, rank, chunk.data());
  if (array.is_deflated) H5Pset_deflate(made, 6);
  const hid_t linked = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(linked, 1);
  const hid_t type = TypeOf(array.kind);
  const hid_t dataset =
      H5Dcreate2(file, array.name.c_str(), type, space, linked, made, H5P_DEFAULT);
  AIM_CHECK(dataset >= 0);
  WriteAll(dataset, array);
  H5Dclose(dataset);
  H5Tclose(type);
  H5Pclose(linked);
  H5Pclose(made);
  H5Sclose(space);
}

}  // namespace

void WriteHdf5(const std::filesystem::path& path, const std::vector<Hdf5Array>& arrays,
               const std::vector<std::string>& links) {
  std::filesystem::create_directories(path.parent_path());
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  AIM_CHECK(file >= 0);
  for (const Hdf5Array& array : arrays) WriteArray(file, array);
  for (const std::string& link : links) {
    H5Lcreate_soft("/times", file, link.c_str(), H5P_DEFAULT, H5P_DEFAULT);
  }
  H5Fclose(file);
}

}  // namespace aim::testing
