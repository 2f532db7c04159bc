// JSON that is read in one way only: whole numbers are told from others, and no key is there twice.
import { CamliteError, damaged } from "./errors.js";

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\.)*")|(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?|(true|false|null))[ \t\n\r]*/y;
const DEEPEST = 16;

// Whole numbers become BigInt, others numbers; objects have no prototype.
export function parse(text, what) {
  const wrong = () => damaged(`${what} is no JSON`);
  let at = 0;
  const next = () => {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text);
    if (!token) throw wrong();
    at = TOKEN.lastIndex;
    return token;
  };
  const value = ([, mark, string, whole, fraction, exponent, word], depth) => {
    if (depth > DEEPEST) throw wrong();
    if (string) return unquote(string, wrong);
    if (whole) return fraction || exponent ? Number(whole + (fraction ?? "") + (exponent ?? "")) : BigInt(whole);
    if (word) return JSON.parse(word);
    if (mark !== "{" && mark !== "[") throw wrong();
    const isObject = mark === "{", close = isObject ? "}" : "]", found = isObject ? Object.create(null) : [];
    let token = next();
    if (token[1] === close) return found;
    for (;;) {
      if (isObject) {
        if (!token[2]) throw wrong();
        const key = unquote(token[2], wrong);
        if (key in found) throw damaged(`${what}: a key is there twice`);
        if (next()[1] !== ":") throw wrong();
        found[key] = value(next(), depth + 1);
      } else found.push(value(token, depth + 1));
      const mark = next()[1];
      if (mark === close) return found;
      if (mark !== ",") throw wrong();
      token = next();
    }
  };
  const found = value(next(), 0);
  if (at !== text.length) throw wrong();
  return found;
}

function unquote(string, wrong) {
  try {
    return JSON.parse(string);
  } catch {
    throw wrong();
  }
}

// Control characters, line separators, lone surrogates and what is not drawn: artifact.md has the list.
const HIDDEN = /[\0-\x08\n-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]/u;

const refuse = (where, expected) => {
  throw new CamliteError(`${where}: expected ${expected}; export the artifact again`);
};
const test = (fits, expected) => (value, where) => (fits(value) ? value : refuse(where, expected));

// Each kind checks one value, and returns it.
export const text = test((value) => typeof value === "string" && !HIDDEN.test(value), "a text without hidden characters");
export const bool = test((value) => typeof value === "boolean", "true or false");
export const one = (...words) => test((value) => words.includes(value), `one of ${words.join(", ")}`);
export const real = (least, most) =>
  test((value) => typeof value === "number" && Number.isFinite(value) && value >= least && value <= most,
    `a number with a fraction, from ${least} to ${most}`);
export const whole = (least, most) => (value, where) =>
  typeof value === "bigint" && value >= least && value <= most ? Number(value)
    : refuse(where, `a whole number from ${least} to ${most}`);
export const maybe = (kind) => (value, where) => (value === null ? null : kind(value, where));
export const list = (kind, least = 0, most = Infinity) => (value, where) =>
  Array.isArray(value) && value.length >= least && value.length <= most
    ? value.map((item, index) => kind(item, `${where}[${index}]`)) : refuse(where, "a list of another length");
export const texts = (value, where) => {
  isObject(value, where);
  Object.keys(value).forEach((key) => { text(key, where); text(value[key], where); });
  return value;
};

function isObject(value, where) {
  if (!value || Object.getPrototypeOf(value) !== null) refuse(where, "an object");
}

// Exactly these fields; those of `usual` may be missing.
export const object = (kinds, usual = {}) => (value, where) => {
  isObject(value, where);
  const found = {}, all = { ...usual, ...value };
  const odd = [...Object.keys(kinds).filter((key) => !(key in all)), ...Object.keys(value).filter((key) => !Object.hasOwn(kinds, key))];
  if (odd.length) refuse(where, `other fields: ${text(odd[0].slice(0, 40), where)} is missing or unknown`);
  for (const key of Object.keys(kinds)) found[key] = kinds[key](all[key], `${where}.${key}`);
  return found;
};
