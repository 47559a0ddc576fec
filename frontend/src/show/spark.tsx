/** Bars of how much happened in equally long intervals. */
export function Spark({ of, name }: { of: readonly number[]; name: string }) {
  const top = Math.max(...of, 1)
  const total = of.reduce((sum, value) => sum + value, 0)
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${of.length} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${name}: ${total} blocks, at most ${top} in an interval`}
    >
      {of.map((value, index) => {
        const height = (18 * value) / top
        return value ? (
          <rect key={index} x={index + 0.1} y={20 - height} width={0.8} height={height} />
        ) : null
      })}
    </svg>
  )
}
