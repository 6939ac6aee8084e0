/** Serves `/openapi.json` and `/docs`, the reference in a browser. It loads nothing from other hosts. */

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { ApiApp } from '../context.js'
import { buildOpenApi } from '../http/openapi.js'

const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}
/** Policy for the page. Swagger UI needs inline styles and icons from `data:` URLs, and nothing from other hosts. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Keyturn API</title>
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`
const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  validatorUrl: null,
  supportedSubmitMethods: [],
})
`

/** Registers `/openapi.json` and `/docs`. Call it after every other route. */
export function registerDocumentationRoutes(app: ApiApp): void {
  const directory = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  let document: string | undefined
  app.get('/openapi.json', (c) => {
    document ??= JSON.stringify(buildOpenApi(app))
    return c.body(document, 200, { 'Content-Type': 'application/json' })
  })
  app.get('/docs', (c) => c.html(PAGE, 200, { 'Content-Security-Policy': CONTENT_SECURITY_POLICY }))
  app.get('/docs/start.js', (c) => c.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }))
  for (const [name, contentType] of Object.entries(ASSETS)) {
    let content: Promise<Buffer> | undefined
    app.get(`/docs/${name}`, async (c) => {
      content ??= readFile(join(directory, name))
      return c.body(new Uint8Array(await content), 200, {
        'Content-Type': contentType,
        'Cache-Control': 'public, max-age=3600',
      })
    })
  }
}
