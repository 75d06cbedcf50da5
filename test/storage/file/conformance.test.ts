import { testEngine } from "../conformance/suite.ts";
import { openEngine, TestDirectory, temporaryDirectory } from "./support.ts";

testEngine({
  name: "file",
  cannotReopen: null,
  create: async () => {
    const folder = temporaryDirectory();
    const directory = new TestDirectory(folder.path);
    let engine = openEngine(directory);
    return {
      engine,
      reopen: async () => {
        await engine.close();
        engine = openEngine(directory);
        return engine;
      },
      dispose: async () => {
        await engine.close();
        folder[Symbol.dispose]();
      },
    };
  },
});
