import { useEffect, useRef } from 'preact/hooks'
import { helpOpen, KEYS } from '../keys'

const IN_DAG = [
  ['← → ↑ ↓', 'another block of the same or the next robot'],
  ['+ and −', 'nearer and farther'],
  ['0', 'all blocks'],
  ['Enter', 'open the chosen block'],
]

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null)
  const open = helpOpen.value
  useEffect(() => {
    if (open) dialog.current?.showModal()
    else dialog.current?.close()
  }, [open])
  return (
    <dialog ref={dialog} onClose={() => (helpOpen.value = false)} aria-labelledby="keys">
      <h2 id="keys">Keys</h2>
      <dl class="keys">
        {KEYS.map(({ keys, words }) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <h3>In the DAG</h3>
      <dl class="keys">
        {IN_DAG.map(([keys, words]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{words}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  )
}
