import { render } from 'preact'
import { App } from './app'
import { startKeys } from './keys'
import { startLive } from './state/live'
import { startPlace } from './state/place'
import { startTheme } from './state/theme'
import './style/base.css'
import './style/shell.css'
import './style/parts.css'
import './style/pages.css'

startTheme()
startPlace()
startKeys()
void startLive()
render(<App />, document.getElementById('app')!)
