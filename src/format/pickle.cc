#include "aim/format/pickle.h"

#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/byte_reader.h"
#include "format/pickle_calls.h"
#include "format/pickle_globals.h"

namespace aim {
namespace {

// A file of the released models has 30 000 values, one with its optimizer 100 000.
constexpr size_t kMaxValues = 1'000'000;

double BigEndianDouble(std::string_view bytes) {
  std::string reversed(bytes.rbegin(), bytes.rend());
  double number;
  std::memcpy(&number, reversed.data(), sizeof number);
  return number;
}

class Unpickler {
 public:
  Unpickler(std::span<const std::byte> bytes, const std::string& where)
      : bytes_(bytes), where_(where) {}

  Pickle Run() {
    bool is_done = false;
    while (!is_done) is_done = Step();
    pickle_.root = Pop();
    return std::move(pickle_);
  }

 private:
  // One opcode. Returns whether it was the last.
  bool Step() {
    opcode_at_ = at_;
    const auto opcode = static_cast<unsigned char>(Number<uint8_t>());
    if (opcode == '.') return true;
    if (!StepScalar(opcode) && !StepContainer(opcode) && !StepMemory(opcode) &&
        !StepObject(opcode)) {
      const char* digits = "0123456789abcdef";
      Fail(std::string("using opcode 0x") + digits[opcode >> 4] + digits[opcode & 15],
           "the opcodes of pickled data");
    }
    return false;
  }

  bool StepScalar(unsigned char opcode) {
    switch (opcode) {
      case 'N':
        return Push(PickleKind::kNone, 0);
      case 0x88:
        return Push(PickleKind::kBool, 1);
      case 0x89:
        return Push(PickleKind::kBool, 0);
      case 'K':
        return Push(PickleKind::kInt, Number<uint8_t>());
      case 'M':
        return Push(PickleKind::kInt, Number<uint16_t>());
      case 'J':
        return Push(PickleKind::kInt, static_cast<int32_t>(Number<uint32_t>()));
      case 0x8a:
        return PushLong(Take(Number<uint8_t>()));
      case 'G':
        return Push({.kind = PickleKind::kFloat, .real = BigEndianDouble(Take(8))});
      case 'X':
      case 'T':
      case 'B':
        return PushText(Take(Number<uint32_t>()));
      case 0x8c:
      case 'U':
      case 'C':
        return PushText(Take(Number<uint8_t>()));
      case 0x8d:
      case 0x8e:
      case 0x96:
        return PushText(Take(Number<uint64_t>()));
      default:
        return false;
    }
  }

  bool StepContainer(unsigned char opcode) {
    switch (opcode) {
      case '(':
        marks_.push_back(stack_.size());
        return CheckSize(marks_.size());
      case ')':
        return Push(PickleKind::kTuple, 0);
      case 0x85:
      case 0x86:
      case 0x87:
        return PushItems(PickleKind::kTuple, PopItems(opcode - 0x84u));
      case 't':
        return PushItems(PickleKind::kTuple, PopToMark());
      case ']':
        return Push(PickleKind::kList, 0);
      case '}':
        return Push(PickleKind::kDict, 0);
      case 0x8f:
        return Push(PickleKind::kOpaque, 0);
      case 'a':
        return Extend(PickleKind::kList, PopItems(1));
      case 'e':
        return Extend(PickleKind::kList, PopToMark());
      case 's':
        return Extend(PickleKind::kDict, PopItems(2));
      case 'u':
        return Extend(PickleKind::kDict, PopToMark());
      case 0x90:
        return Extend(PickleKind::kOpaque, PopToMark());
      default:
        return false;
    }
  }

  bool StepMemory(unsigned char opcode) {
    switch (opcode) {
      case 0x80: {
        const int protocol = Number<uint8_t>();
        if (protocol < 2 || protocol > 5) {
          Fail("of pickle protocol " + std::to_string(protocol), "protocol 2 to 5");
        }
        return true;
      }
      case 0x95:
        if (!Fits(at_, 8, bytes_.size()) || Number<uint64_t>() > bytes_.size() - at_) {
          Fail("with a frame beyond its end", "frames within it");
        }
        return true;
      case 'q':
        return Remember(Number<uint8_t>());
      case 'r':
        return Remember(Number<uint32_t>());
      case 0x94:
        return Remember(static_cast<uint32_t>(memo_.size()));
      case 'h':
        return Recall(Number<uint8_t>());
      case 'j':
        return Recall(Number<uint32_t>());
      case '0':
        Pop();
        return true;
      case '1':
        PopToMark();
        return true;
      case '2':
        stack_.push_back(Top());
        return CheckSize(stack_.size());
      default:
        return false;
    }
  }

  bool StepObject(unsigned char opcode) {
    switch (opcode) {
      case 'c': {
        const std::string module(Line());
        return PushGlobal(module + "." + std::string(Line()));
      }
      case 0x93: {
        const PickleValue& name = Value(Pop());
        const PickleValue& module = Value(Pop());
        if (name.kind != PickleKind::kText || module.kind != PickleKind::kText) {
          Fail("asking for a Python object without a name", "a module and a name");
        }
        return PushGlobal(module.text + "." + name.text);
      }
      case 'R':
      case 0x81: {
        const PickleId arguments = Pop();
        return Call(Pop(), arguments);
      }
      case 'b': {
        const PickleId state = Pop();
        return SetState(pickle_.values[Top()], state);
      }
      case 'Q':
        return PushStorage(Pop());
      default:
        return false;
    }
  }

  [[noreturn]] void Fail(const std::string& got, const std::string& expected,
                         const std::string& fix = "") const {
    throw FormatError({.where = where_ + ", byte " + std::to_string(opcode_at_),
                       .got = got,
                       .expected = expected,
                       .fix = fix});
  }

  std::string_view Take(uint64_t size_bytes) {
    if (!Fits(at_, size_bytes, bytes_.size())) {
      Fail("asking for " + std::to_string(size_bytes) + " bytes",
           "at most " + std::to_string(bytes_.size() - at_) + ", all that are left");
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, size_bytes);
    at_ += size_bytes;
    return text;
  }

  template <class Integer>
  Integer Number() {
    const size_t begin = at_;
    Take(sizeof(Integer));
    return ReadNumber<Integer>(bytes_, begin);
  }

  std::string_view Line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_,
                                bytes_.size() - at_);
    const size_t length = rest.find('\n');
    if (length == std::string_view::npos) Fail("with a name that does not end", "a line");
    at_ += length + 1;
    return rest.substr(0, length);
  }

  bool CheckSize(size_t count) const {
    if (count > kMaxValues) {
      Fail("holding more than " + std::to_string(kMaxValues) + " values",
           "a pickle of weights or of one recording");
    }
    return true;
  }

  const PickleValue& Value(PickleId id) const { return pickle_.values[id]; }

  bool Push(PickleValue value) {
    CheckSize(pickle_.values.size() + 1);
    pickle_.values.push_back(std::move(value));
    stack_.push_back(static_cast<PickleId>(pickle_.values.size() - 1));
    return CheckSize(stack_.size());
  }
  bool Push(PickleKind kind, int64_t number) { return Push({.kind = kind, .number = number}); }
  bool PushText(std::string_view text) {
    return Push({.kind = PickleKind::kText, .text = std::string(text)});
  }
  bool PushItems(PickleKind kind, std::vector<PickleId> items) {
    return Push({.kind = kind, .items = std::move(items)});
  }

  // Two's complement, little-endian, of any length; numbers beyond 64 bits are of no use here.
  bool PushLong(std::string_view digits) {
    if (digits.size() > 8) return Push(PickleKind::kOpaque, 0);
    uint64_t number = !digits.empty() && (digits.back() & 0x80) != 0 ? ~uint64_t{0} : 0;
    std::memcpy(&number, digits.data(), digits.size());
    return Push(PickleKind::kInt, static_cast<int64_t>(number));
  }

  // The values above the last mark belong to what that mark began.
  PickleId Top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
      Fail("taking a value from an empty stack", "a value");
    }
    return stack_.back();
  }
  PickleId Pop() {
    const PickleId id = Top();
    stack_.pop_back();
    return id;
  }
  std::vector<PickleId> PopItems(size_t count) {
    std::vector<PickleId> items(count);
    for (size_t i = count; i-- > 0;) items[i] = Pop();
    return items;
  }
  std::vector<PickleId> PopToMark() {
    if (marks_.empty()) Fail("ending a group that never began", "a mark");
    const auto begin = stack_.begin() + static_cast<ptrdiff_t>(marks_.back());
    std::vector<PickleId> items(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return items;
  }

  // Adds to the list, dict or opaque object on top; what an opaque one holds is not kept.
  bool Extend(PickleKind kind, const std::vector<PickleId>& items) {
    PickleValue& target = pickle_.values[Top()];
    if (target.kind == PickleKind::kOpaque) return true;
    if (target.kind != kind) Fail("adding items to a value that holds none", "a list or dict");
    if (kind == PickleKind::kDict && items.size() % 2 != 0) {
      Fail("adding a key without a value to a dict", "pairs");
    }
    target.items.insert(target.items.end(), items.begin(), items.end());
    return true;
  }

  bool Remember(uint32_t key) {
    memo_[key] = Top();
    return true;
  }
  bool Recall(uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) {
      Fail("recalling value " + std::to_string(key) + ", which was not stored", "a stored value");
    }
    stack_.push_back(found->second);
    return CheckSize(stack_.size());
  }

  bool PushGlobal(const std::string& name) {
    if (ClassifyGlobal(name) == PickleGlobal::kForbidden) {
      Fail("asking for the Python object " + Printable(name), "tensors and plain values alone",
           AdviceOnGlobal(name));
    }
    return Push({.kind = PickleKind::kGlobal, .text = name});
  }

  // State of a dict is the _metadata of a state_dict; that of an opaque object is of no use.
  bool SetState(PickleValue& value, PickleId state) {
    switch (value.kind) {
      case PickleKind::kDict:
      case PickleKind::kOpaque:
        return true;
      case PickleKind::kArray:
      case PickleKind::kArrayType:
        SetNumpyState(pickle_, Value(state), value);
        return true;
      case PickleKind::kObject:
        value.items = {state};
        return true;
      default:
        Fail("setting the state of a value that has none", "state of a dict or an object");
    }
  }

  // What calling the global would give, for the few whose result is known.
  bool Call(PickleId callee, PickleId argument_tuple) {
    if (Value(callee).kind == PickleKind::kOpaque) return Push(PickleKind::kOpaque, 0);
    if (Value(callee).kind != PickleKind::kGlobal ||
        Value(argument_tuple).kind != PickleKind::kTuple) {
      Fail("calling a value that is no function", "calls of the functions that rebuild tensors");
    }
    const std::vector<PickleId>& arguments = Value(argument_tuple).items;
    const std::string& name = Value(callee).text;
    switch (ClassifyGlobal(name)) {
      case PickleGlobal::kOrderedDict:
        return PushDict(arguments);
      case PickleGlobal::kRebuildTensor:
        return PushTensor(arguments, /*has_type=*/false);
      case PickleGlobal::kRebuildUntypedTensor:
        return PushTensor(arguments, /*has_type=*/true);
      case PickleGlobal::kRebuildParameter:
        if (arguments.empty() || Value(arguments[0]).kind != PickleKind::kTensor) {
          Fail("rebuilding a parameter of something else", "a tensor");
        }
        stack_.push_back(arguments[0]);
        return true;
      case PickleGlobal::kNumpy:
        return Push(NumpyCall(pickle_, name, arguments));
      case PickleGlobal::kClass:
        return Push({.kind = PickleKind::kObject, .text = name});
      case PickleGlobal::kOpaque:
        return Push(PickleKind::kOpaque, 0);
      default:
        Fail("calling " + name, "calls of the functions that rebuild tensors");
    }
  }

  // OrderedDict(), or OrderedDict([[key, value], ...]) as Python 2 wrote it.
  bool PushDict(const std::vector<PickleId>& arguments) {
    PickleValue dict{.kind = PickleKind::kDict};
    if (!arguments.empty()) {
      const std::string expected = "a list of keys and values";
      if (Value(arguments[0]).kind != PickleKind::kList) Fail("making a dict of a value", expected);
      for (const PickleId item : Value(arguments[0]).items) {
        const std::vector<PickleId>& pair = Value(item).items;
        if (pair.size() != 2) Fail("making a dict of other things", expected);
        dict.items.insert(dict.items.end(), pair.begin(), pair.end());
      }
      // The list may be recalled for many dicts: the one way to get more out than was read.
      num_copied_ += dict.items.size();
      CheckSize(num_copied_);
    }
    return Push(std::move(dict));
  }

  bool PushStorage(PickleId id) {
    std::optional<PickleValue> storage = TorchStorage(pickle_, Value(id));
    if (storage) return Push(std::move(*storage));
    Fail("referring to something outside that is no storage",
         "('storage', type, key, location, number of elements)");
  }

  bool PushTensor(const std::vector<PickleId>& arguments, bool has_type) {
    std::optional<PickleValue> tensor = TorchTensor(pickle_, arguments, has_type);
    if (tensor) return Push(std::move(*tensor));
    Fail("rebuilding a tensor of wrong parts, shape or strides",
         has_type ? "a storage, an offset, a shape, as many strides, and a torch type"
                  : "a storage, an offset, a shape and as many strides");
  }

  std::span<const std::byte> bytes_;
  const std::string& where_;
  size_t at_ = 0;
  size_t opcode_at_ = 0;  // of the opcode being read, for messages
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint32_t, PickleId> memo_;
  size_t num_copied_ = 0;  // items copied from lists into dicts
};

}  // namespace

Pickle ParsePickle(std::span<const std::byte> bytes, const std::string& where) {
  return Unpickler(bytes, where).Run();
}

}  // namespace aim
