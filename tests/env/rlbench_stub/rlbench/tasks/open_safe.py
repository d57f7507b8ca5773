class OpenSafe:
    def variation_count(self):
        return 1

    def describe(self, variation):
        return ["open the safe"]

    demonstrable = False
