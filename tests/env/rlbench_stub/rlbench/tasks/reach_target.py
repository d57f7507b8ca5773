class ReachTarget:
    COLOURS = ("red", "maroon", "lime")

    def variation_count(self):
        return 20

    def describe(self, variation):
        return ["reach the %s target" % self.COLOURS[variation % 3], "touch the ball"]

    demonstrable = True
