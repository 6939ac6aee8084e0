/** Draws a QR code as SVG. */

import { encode } from 'uqr'
import { Html, html } from './html.js'

/** Light modules around the code, without which cameras do not find it. */
const QUIET_ZONE = 4
/** Codes that are kept, because a page is shown several times and drawing one costs more than the page. */
const MOST_KEPT = 2_000

interface Drawing {
  readonly size: number
  readonly path: Html
}

const kept = new Map<string, Drawing>()

/** Returns an `<svg>` of the text. @param label - Name of the image for readers who do not see it. */
export function qrSvg(text: string, label: string): Html {
  const drawing = kept.get(text) ?? draw(text)
  kept.delete(text)
  kept.set(text, drawing)
  for (const oldest of kept.keys()) {
    if (kept.size <= MOST_KEPT) break
    kept.delete(oldest)
  }
  const { size, path } = drawing
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path class="qr-light" d="M0 0h${size}v${size}H0z"/><path class="qr-dark" d="${path}"/></svg>`
}

/** Draws each run of dark modules in a row as one rectangle. */
function draw(text: string): Drawing {
  const { data, size } = encode(text, { ecc: 'M', border: QUIET_ZONE })
  let path = ''
  for (const [y, row] of data.entries()) {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue
      const start = x
      while (row[x + 1]) x++
      const width = x + 1 - start
      path += `M${start} ${y}h${width}v1h-${width}z`
    }
  }
  return { size, path: new Html(path) }
}
