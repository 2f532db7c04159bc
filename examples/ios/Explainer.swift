// Explain an image on iOS: a float32 `.tflite` artifact of `camlite export`, with TensorFlow Lite. Not built by camlite's
// tests: there is no Xcode where they run. It follows runtime/spec/artifact.md; where the two differ, that is right.
//
// Podfile: pod 'TensorFlowLiteSwift'
//
//     let explainer = try Explainer(file: Data(contentsOf: url))
//     let answer = try explainer.explain(image)     // a CGImage of any size; answer.evidence adds up to answer.logit

import CoreGraphics
import CryptoKit
import Foundation
import TensorFlowLite
import zlib

struct Refused: Error { let why: String }

func require(_ condition: Bool, _ why: String) throws {
    if !condition { throw Refused(why: why) }
}

struct Answer {
    let label: String
    let scores: [Float]
    let evidence: [[Float]]
    let logit: Float
}

struct Card: Decodable {
    struct Preprocessing: Decodable {
        let height, width, channels: Int
        let scale, offset: [Float]
        let fit, order: String
    }
    struct Head: Decodable {
        let height, width, channels: Int
        let evidence: String
    }
    let format: Int
    let precision: String
    let labels: [String]
    let preprocessing: Preprocessing
    let head: Head
    let model_sha256: String
}

final class Explainer {
    private let card: Card
    private let weights, bias: [Float]
    private let interpreter: Interpreter
    private let runner: SignatureRunner

    init(file: Data) throws {
        let artifact = try Artifact([UInt8](file))
        card = artifact.card
        try require(card.precision == "float32" && card.head.evidence == "device",
                    "this example explains float32 artifacts whose evidence is made by the device")
        weights = try artifact.weights(channels: card.head.channels, classes: card.labels.count)
        bias = try artifact.floats("bias.npy")
        // Only the model, bytes 0 to S, is for the interpreter.
        let model = FileManager.default.temporaryDirectory.appendingPathComponent(card.model_sha256)
        try Data(artifact.bytes[..<artifact.modelSize]).write(to: model)
        interpreter = try Interpreter(modelPath: model.path)
        runner = try interpreter.signatureRunner(with: "serving_default")
        try runner.allocateTensors()
    }

    func explain(_ image: CGImage) throws -> Answer {
        try runner.copy(input(image).withUnsafeBytes { Data($0) }, toInputNamed: "image")
        try runner.invoke()
        let scores = floats(try runner.output(named: "scores").data)
        let features = floats(try runner.output(named: "features").data)
        let top = scores.indices.reduce(0) { scores[$1] > scores[$0] ? $1 : $0 } // of equals, the first
        let (head, classes) = (card.head, card.labels.count)
        let perPlace = weights.count != head.channels * classes
        var sum = bias[top]
        let evidence = (0..<head.height).map { y in
            (0..<head.width).map { x -> Float in
                let place = (y * head.width + x) * head.channels
                let value = (0..<head.channels).reduce(Float(0)) { made, c in
                    made + features[place + c] * weights[((perPlace ? place : 0) + c) * classes + top]
                }
                sum += value
                return value
            }
        }
        return Answer(label: card.labels[top], scores: scores, evidence: evidence, logit: sum)
    }

    // "From pixels to the input": window, resize, grey, channel order, scale.
    private func input(_ image: CGImage) throws -> [Float] {
        let (pixels, height, width) = (card.preprocessing, image.height, image.width)
        var rgba = [UInt8](repeating: 0, count: 4 * height * width)
        let space = CGColorSpace(name: CGColorSpace.sRGB)!
        guard let context = CGContext(data: &rgba, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
                                      space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { throw Refused(why: "no memory for the picture") }
        context.draw(image, in: CGRect(x: 0, y: 0, width: width, height: height))
        var (rows, columns) = (height, width)
        if pixels.fit == "crop" {
            let (h, w) = (Double(pixels.height), Double(pixels.width))
            rows = min(height, max(1, Int((Double(width) * h / w).rounded(.toNearestOrEven))))
            columns = min(width, max(1, Int((Double(height) * w / h).rounded(.toNearestOrEven))))
        }
        let (top, left) = ((height - rows) / 2, (width - columns) / 2)
        var made: [Float] = []
        for i in 0..<pixels.height {
            let y = Place(i, rows, pixels.height)
            for j in 0..<pixels.width {
                let x = Place(j, columns, pixels.width)
                var rgb = (0..<3).map { channel -> Float in
                    func at(_ row: Int, _ column: Int) -> Float {
                        Float(rgba[4 * ((top + row) * width + left + column) + channel])
                    }
                    // Rows first, then columns.
                    let before = at(y.before, x.before) * (1 - y.share) + at(y.after, x.before) * y.share
                    let after = at(y.before, x.after) * (1 - y.share) + at(y.after, x.after) * y.share
                    return before * (1 - x.share) + after * x.share
                }
                if pixels.channels == 1 { rgb = [0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]] }
                if pixels.channels == 3 && pixels.order == "bgr" { rgb.reverse() }
                for c in 0..<pixels.channels { made.append(rgb[c] * pixels.scale[c] + pixels.offset[c]) }
            }
        }
        return made
    }

    private struct Place {
        let before, after: Int
        let share: Float

        init(_ index: Int, _ size: Int, _ target: Int) {
            let centre = min(max((Double(index) + 0.5) * (Double(size) / Double(target)) - 0.5, 0), Double(size - 1))
            before = Int(centre)
            after = min(before + 1, size - 1)
            share = Float(centre - Double(before))
        }
    }

    private func floats(_ data: Data) -> [Float] {
        data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
}

// The file: model, zip, seal and perhaps a signature. A reader that takes files of strangers bounds sizes, too ("Limits").
final class Artifact {
    private struct Entry { let method, crc, packed, size, start: Int }

    let bytes: [UInt8]
    private(set) var modelSize = 0
    private(set) var card: Card! = nil
    private var entries: [String: Entry] = [:]

    init(_ file: [UInt8]) throws {
        bytes = file
        let (seal, signature) = (84, 219)
        try require(bytes.count > 350 && text(4, 4) == "TFL3", "no .tflite artifact")
        let signed = text(bytes.count - signature, 26) == "camlite signature ed25519:"
        let zipEnd = bytes.count - (signed ? signature : 0) - seal, end = zipEnd - 22
        try require(text(zipEnd, 20) == "camlite seal sha256:", "no artifact, or cut off")
        try require(number(end, 4) == 0x0605_4b50 && number(end + 20, 2) == bytes.count - zipEnd, "damaged: the zip's end")
        var at = number(end + 16, 4)
        try require(at + number(end + 12, 4) == end, "damaged: the zip's directory")
        for _ in 0..<number(end + 10, 2) {
            try require(at + 46 <= end && number(at, 4) == 0x0201_4b50, "damaged: the zip's directory")
            let name = text(at + 46, number(at + 28, 2))
            try require(entries[name] == nil, "damaged: \(name) twice")
            entries[name] = Entry(method: number(at + 10, 2), crc: number(at + 16, 4), packed: number(at + 20, 4),
                                  size: number(at + 24, 4), start: number(at + 42, 4))
            at += 46 + number(at + 28, 2) + number(at + 30, 2) + number(at + 32, 2)
        }
        modelSize = entries.values.map(\.start).min() ?? 0
        try require(modelSize < zipEnd && sha256(modelSize..<zipEnd) == text(zipEnd + 20, 64), "damaged: the seal does not fit")
        card = try JSONDecoder().decode(Card.self, from: Data(try entry("card.json")))
        try require(card.format == 2, "another format version")
        try require(sha256(0..<modelSize) == card.model_sha256, "damaged: not the model of its card")
    }

    func floats(_ name: String) throws -> [Float] { // .npy, version 1.0
        let npy = try entry(name)
        try require(npy.count >= 10, "damaged: \(name)")
        return real(npy, from: 10 + Int(npy[8]) + 256 * Int(npy[9]), count: nil)
    }

    func weights(channels: Int, classes: Int) throws -> [Float] { // (C, K), or (h, w, C, K)
        if entries["weights.npy"] != nil { return try floats("weights.npy") }
        struct Stored: Decodable {
            let offset: Int
            let dtype: String
            let classes_first: Bool
            let scale: Float
            let scales_offset: Int?
        }
        let stored = try JSONDecoder().decode(Stored.self, from: Data(try entry("weights_place.json")))
        try require(stored.dtype == "float32" && stored.scales_offset == nil, "weights that are not float32")
        let count = channels * classes
        try require(stored.offset >= 0 && stored.offset + 4 * count <= modelSize, "weights outside of the model")
        let there = real(bytes, from: stored.offset, count: count)
        return (0..<count).map { index in
            let (c, k) = (index / classes, index % classes)
            return there[stored.classes_first ? k * channels + c : index] * stored.scale
        }
    }

    private func entry(_ name: String) throws -> [UInt8] {
        guard let found = entries[name] else { throw Refused(why: "damaged: no \(name)") }
        let start = found.start + 30 + number(found.start + 26, 2) + number(found.start + 28, 2)
        try require(start + found.packed <= bytes.count, "damaged: \(name) is outside of the file")
        let packed = Array(bytes[start..<start + found.packed])
        var content = packed
        if found.method == 8 {
            content = [UInt8](repeating: 0, count: found.size)
            var stream = z_stream()
            inflateInit2_(&stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
            defer { inflateEnd(&stream) }
            let ended = packed.withUnsafeBufferPointer { given in
                content.withUnsafeMutableBufferPointer { made -> Int32 in
                    stream.next_in = UnsafeMutablePointer(mutating: given.baseAddress)
                    stream.avail_in = UInt32(given.count)
                    stream.next_out = made.baseAddress
                    stream.avail_out = UInt32(made.count)
                    return inflate(&stream, Z_FINISH)
                }
            }
            try require(ended == Z_STREAM_END, "damaged: \(name)")
        }
        try require((found.method == 8 || found.method == 0) && content.count == found.size
            && Int(crc32(0, content, UInt32(content.count))) == found.crc, "damaged: \(name)")
        return content
    }

    private func number(_ at: Int, _ size: Int) -> Int { // little-endian; 0 outside of the file
        at >= 0 && at + size <= bytes.count ? (0..<size).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } : 0
    }

    private func text(_ at: Int, _ length: Int) -> String {
        at >= 0 && at + length <= bytes.count ? String(decoding: bytes[at..<at + length], as: UTF8.self) : ""
    }

    private func real(_ content: [UInt8], from start: Int, count: Int?) -> [Float] {
        let numbers = count ?? max(0, (content.count - start) / 4)
        return (0..<numbers).map { index in
            let bits = (0..<4).reduce(UInt32(0)) { $0 | UInt32(content[start + 4 * index + $1]) << (8 * UInt32($1)) }
            return Float(bitPattern: bits)
        }
    }

    private func sha256(_ range: Range<Int>) -> String {
        SHA256.hash(data: bytes[range]).map { String(format: "%02x", $0) }.joined()
    }
}
