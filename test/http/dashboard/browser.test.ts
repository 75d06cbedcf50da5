/**
 * The dashboard as people meet it, in Chromium, of the compiled executable: one browser for all views (scenes/), each with a server of
 * its own. A scene fails when its page asks another host for anything, logs an error, or violates a rule of axe-core.
 */

import { afterAll, beforeAll, describe } from "bun:test";
import { browserMissing, TestBrowser } from "../../support/browser.ts";
import { compiled } from "../../support/obelisk-command.ts";
import { brokerScenes } from "./scenes/broker.ts";
import { groupScenes } from "./scenes/groups.ts";
import { messageScenes } from "./scenes/messages.ts";
import { overviewScenes } from "./scenes/overview.ts";
import { topicScenes } from "./scenes/topics.ts";

const missing = browserMissing ?? compiled.missing;

describe.skipIf(missing !== undefined)(
  `the dashboard in a browser${missing === undefined ? "" : `: ${missing}`}`,
  () => {
    const browser = new TestBrowser();
    beforeAll(() => browser.launch());
    afterAll(() => browser.close());

    describe("overview", () => overviewScenes(browser));
    describe("topics", () => topicScenes(browser));
    describe("messages", () => messageScenes(browser));
    describe("broker", () => brokerScenes(browser));
    describe("groups", () => groupScenes(browser));
  },
);
