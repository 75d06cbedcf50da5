/** The dashboard's entry: which view an address shows. */

import { render } from "preact";
import { segments, startRouter } from "./base/router.ts";
import { startTheme } from "./base/theme.ts";
import { startOverview } from "./overview/store.ts";
import { ConnectionsPage } from "./pages/connections.tsx";
import { GroupPage } from "./pages/group.tsx";
import { GroupsPage } from "./pages/groups.tsx";
import { MessagesPage } from "./pages/messages.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { SettingsPage } from "./pages/settings.tsx";
import { TopicPage } from "./pages/topic.tsx";
import { TopicsPage } from "./pages/topics.tsx";
import { TransactionsPage } from "./pages/transactions.tsx";
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
  const [view, name, ...rest] = segments.value;
  if (rest.length > 0) return <NothingPage />;
  switch (view) {
    case undefined:
      return <OverviewPage />;
    case "topics":
      return name === undefined ? <TopicsPage /> : <TopicPage key={name} name={name} />;
    case "groups":
      return name === undefined ? <GroupsPage /> : <GroupPage key={name} name={name} />;
    case "messages":
      return <MessagesPage />;
    case "transactions":
      return <TransactionsPage />;
    case "connections":
      return <ConnectionsPage />;
    case "settings":
      return <SettingsPage />;
    default:
      return <NothingPage />;
  }
}

function NothingPage() {
  const action = (
    <a class="button" href="/">
      Go to the overview
    </a>
  );
  return (
    <Page title="Nothing here">
      <Empty icon="search" title="There is no such view" action={action}>
        The address may have been cut short, or what it named is gone.
      </Empty>
    </Page>
  );
}

startTheme();
startRouter();
startOverview();
render(<Dashboard />, document.getElementById("app")!);
