/** The dashboard's entry: which view an address shows. */

import { render } from "preact";
import { segments, startRouter } from "./base/router.ts";
import { startTheme } from "./base/theme.ts";
import { startOverview } from "./overview/store.ts";
import { OverviewPage } from "./pages/overview.tsx";
import { Empty } from "./parts/notice.tsx";
import { Page } from "./parts/page.tsx";
import { Shell } from "./shell.tsx";

function Dashboard() {
  return (
    <Shell>
      <View />
    </Shell>
  );
}

function View() {
  const [view] = segments.value;
  switch (view) {
    case undefined:
      return <OverviewPage />;
    default:
      return (
        <Page title="Nothing here">
          <Empty
            icon="search"
            title="There is no such view"
            action={
              <a class="button" href="/">
                Go to the overview
              </a>
            }
          >
            The address may have been cut short, or what it named is gone.
          </Empty>
        </Page>
      );
  }
}

startTheme();
startRouter();
startOverview();
render(<Dashboard />, document.getElementById("app")!);
