/** Serves the static files of pages under names that change with their content. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Hono } from 'hono'
import type { ApiEnv } from '../context.js'
import { colourSheet } from './colour.js'

/** Static file with the path under which it is served. */
export interface Asset {
  readonly path: string
  readonly content: Buffer
  readonly type: string
}

type Routes = Pick<Hono<ApiEnv>, 'get'>

const CSS = 'text/css; charset=utf-8'
const TYPES: Readonly<Record<string, string>> = { css: CSS, js: 'text/javascript; charset=utf-8' }
/** Hex digits of the hash in a name. */
const HASH_LENGTH = 16
/** A name never gets another content, so no browser has to ask again. */
const IMMUTABLE = 'public, max-age=31536000, immutable'
const FOLDER = '/assets'

/** Reads a file, once for a process. @param url - `new URL('./page.js', import.meta.url)`. */
export function openAsset(url: URL): Asset {
  const content = readFileSync(url)
  const hash = createHash('sha256').update(content).digest('hex').slice(0, HASH_LENGTH)
  const [, name = '', ending = ''] = /([\w-]+)\.(\w+)$/.exec(url.pathname) ?? []
  return { path: `${FOLDER}/${name}.${hash}.${ending}`, content, type: TYPES[ending] ?? '' }
}

/** Stylesheet of every page. */
export const STYLE = openAsset(new URL('./style.css', import.meta.url))
/** Script of every page with something to copy. */
export const COPY = openAsset(new URL('./browser/copy.js', import.meta.url))

/** Returns the path of the stylesheet of a merchant's colour. @param colour - `#` and six hex digits. */
export function colourPath(colour: string): string {
  return `${FOLDER}/colour.${colour.slice(1)}.css`
}

/** Registers a file. */
export function registerAsset(app: Routes, { path, content, type }: Asset): void {
  app.get(path, (c) =>
    c.body(new Uint8Array(content), 200, { 'Content-Type': type, 'Cache-Control': IMMUTABLE }),
  )
}

/** Registers what every page uses: the stylesheet, one for each colour, and the script that copies. */
export function registerSharedAssets(app: Routes): void {
  registerAsset(app, STYLE)
  registerAsset(app, COPY)
  app.get(`${FOLDER}/:name{colour\\.[0-9a-f]{6}\\.css}`, (c) => {
    const colour = `#${c.req.param('name').slice('colour.'.length, -'.css'.length)}`
    return c.body(colourSheet(colour), 200, { 'Content-Type': CSS, 'Cache-Control': IMMUTABLE })
  })
}
