import { useEffect, useErrorBoundary } from 'preact/hooks'
import type { ComponentType } from 'preact'
import { Head } from './show/basics'
import { BlockPage } from './pages/block'
import { BlocksPage } from './pages/blocks'
import { DagPage } from './pages/dag'
import { FindPage } from './pages/find'
import { MapPage } from './pages/map'
import { ModelsPage } from './pages/models'
import { OverviewPage } from './pages/overview'
import { RobotPage } from './pages/robot'
import { RobotsPage } from './pages/robots'
import { SplitsPage } from './pages/splits'
import { TaskPage } from './pages/task'
import { TasksPage } from './pages/tasks'
import { TrustPage } from './pages/trust'
import { Footer } from './shell/footer'
import { Header } from './shell/header'
import { Help } from './shell/help'
import { overview } from './state/live'
import { href, place } from './state/place'

const PAGES: Record<string, readonly [title: string, page: ComponentType]> = {
  '': ['Overview', OverviewPage],
  dag: ['DAG', DagPage],
  blocks: ['Blocks', BlocksPage],
  robots: ['Robots', RobotsPage],
  tasks: ['Tasks', TasksPage],
  map: ['Map', MapPage],
  trust: ['Trust', TrustPage],
  models: ['Models', ModelsPage],
  splits: ['Splits', SplitsPage],
  find: ['Find', FindPage],
}

const ONE_OF: Record<string, ComponentType<{ id: string }>> = {
  blocks: BlockPage,
  robots: RobotPage,
  tasks: TaskPage,
}

/** A page; or why it cannot show what the server answered. */
function Page() {
  const [error] = useErrorBoundary((fault) => console.error(fault))
  if (error) {
    return (
      <Head title="This page cannot be shown">
        It does not understand the server’s answer ({String(error.message)}). Load it again; if
        that does not help, the pages are older or newer than the server.
      </Head>
    )
  }
  return <Found />
}

function Found() {
  const [, name = '', id, ...more] = place.value.path.split('/')
  const One = ONE_OF[name]
  const page = PAGES[name]
  const words = id ? decodeURIComponent(id) : ''
  useEffect(() => {
    const parts = [words, page?.[0], overview.value?.fleet]
    document.title = parts.filter(Boolean).join(' · ') || 'Ledger'
  })
  if (words && One && !more.length) return <One key={words} id={words} />
  const List = page?.[1]
  if (List && !words) return <List />
  return (
    <Head title="There is no such page">
      Go to the <a href={href('/')}>overview</a>, or search above.
    </Head>
  )
}

export function App() {
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        <Page key={place.value.path} />
      </main>
      <Footer />
      <Help />
    </>
  )
}
