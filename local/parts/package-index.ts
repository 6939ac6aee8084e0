/** Finds the Python package index that this machine uses, and asks it for a file. */

import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { fetchThroughProxy } from './fetch-through-proxy.js'

const DEFAULT_INDEX = 'https://pypi.org/simple'
const TIMEOUT_MS = 30_000
const ACCEPT = 'application/vnd.pypi.simple.v1+json, text/html;q=0.1'

const project = z.object({ files: z.array(z.object({ filename: z.string(), url: z.string() })) })

/** A file of an index, and the credentials that the index wants. */
export interface IndexFile {
  readonly url: URL
  /** Value of the header `Authorization`. `null` when the file is on another host than the index. */
  readonly authorization: string | null
}

/**
 * Returns the URL of the index as pip has it: `PIP_INDEX_URL`, pip's configuration files, or the public
 * index. It may hold a user and a password.
 */
export function packageIndex(environment: NodeJS.ProcessEnv = process.env): URL {
  const named = environment.PIP_INDEX_URL || configured(environment) || DEFAULT_INDEX
  return new URL(named.endsWith('/') ? named : `${named}/`)
}

/** Finds a file of a project in the index. @throws Error that says why it was not found. */
export async function findInIndex(name: string, filename: string): Promise<IndexFile> {
  const index = packageIndex()
  const authorization = credentialsOf(index)
  const page = new URL(`${name}/`, index)
  const response = await fetchThroughProxy(withoutCredentials(page), {
    headers: { accept: ACCEPT, ...(authorization === null ? {} : { authorization }) },
    timeoutMs: TIMEOUT_MS,
  })
  if (!response.ok) throw new Error(`${page.host} answered HTTP ${response.status} for ${name}`)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  const link = isJson
    ? project.parse(JSON.parse(text)).files.find((file) => file.filename === filename)?.url
    : linkIn(text, filename)
  if (link === undefined) throw new Error(`${page.host} has no ${filename}`)
  const url = new URL(link, response.url || withoutCredentials(page))
  return { url, authorization: url.host === index.host ? authorization : null }
}

/** Returns the link to a file in the older form of an index: a page of anchors. */
function linkIn(html: string, filename: string): string | undefined {
  for (const [, href, text] of html.matchAll(/<a\b[^>]*\bhref=["']([^"']+)["'][^>]*>\s*([^<]+?)\s*<\/a>/gi))
    if (text === filename) return href?.replaceAll('&amp;', '&')
  return undefined
}

function configured(environment: NodeJS.ProcessEnv): string | undefined {
  const files = environment.PIP_CONFIG_FILE
    ? [environment.PIP_CONFIG_FILE]
    : [
        join(environment.XDG_CONFIG_HOME || join(homedir(), '.config'), 'pip', 'pip.conf'),
        join(homedir(), 'Library', 'Application Support', 'pip', 'pip.conf'),
        join(homedir(), '.pip', 'pip.conf'),
        '/etc/pip.conf',
      ]
  for (const file of files) {
    try {
      const found = /^\s*index[-_]url\s*[=:]\s*(\S+)/m.exec(readFileSync(file, 'utf8'))
      if (found) return found[1]
    } catch {
      // Most of the files do not exist.
    }
  }
  return undefined
}

function credentialsOf({ username, password }: URL): string | null {
  if (!username) return null
  const both = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(both).toString('base64')}`
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url)
  bare.username = ''
  bare.password = ''
  return bare
}
